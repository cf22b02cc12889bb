"""The command: it serves, it says what is in the way, and it ends when it is asked to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from tfretrieval.cli import main


@pytest.fixture
def started(served_run):
    running = []

    def start(*options: str):
        command = [sys.executable, "-c", "from tfretrieval.cli import main; main()", "serve", "--run"]
        command += [str(served_run.directory), "--port", "0", *options]
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, **piped, start_new_session=True)
        running.append(process)
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, process.stderr.read()
        return process, found[0]

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end_and_answers_what_it_began(started, query_file, number):
    process, address = started()
    assert httpx.get(f"{address}/api/ready", timeout=60).json() == {"status": "ok"}
    assert "tfretrieval" in httpx.get(address, timeout=60).text
    answers, image = [], query_file.read_bytes()

    def ask():
        for _ in range(5):
            try:
                answers.append(httpx.post(f"{address}/api/search", files={"image": image}, timeout=60))
            except httpx.TransportError:  # a connection that came too late
                return

    asking = threading.Thread(target=ask)
    asking.start()
    while not answers:
        asking.join(0.01)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=30)
    asking.join(60)
    assert all(answer.status_code == 200 for answer in answers)
    assert process.returncode in (0, -number)
    assert "Traceback" not in errors


def refused(capfd, *arguments) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code, capfd.readouterr().err.strip().splitlines()[-1]


def test_a_port_that_is_taken_is_said_to_be(served_run, capfd):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, line = refused(capfd, "serve", "--run", served_run.directory, "--port", taken.getsockname()[1])
    assert (code, line.split(": ")[:2]) == (1, ["tfret", "error"])
    assert "give another --port" in line


def test_an_address_that_is_not_this_machines_is_said_to_be(served_run, capfd):
    code, line = refused(capfd, "serve", "--run", served_run.directory, "--host", "203.0.113.9")
    assert code == 1
    assert "cannot listen at 203.0.113.9" in line
    assert line.endswith("give another --host")


def test_a_folder_that_is_no_run_is_said_to_be_none(tmp_path, capfd):
    code, line = refused(capfd, "serve", "--run", tmp_path)
    assert code == 1
    assert "is not a run" in line


def test_what_is_not_installed_is_named(served_run, capfd, monkeypatch):
    from tfretrieval.serve import server

    monkeypatch.setattr(server, "NEEDED", ("no-such-package",))
    code, line = refused(capfd, "serve", "--run", served_run.directory)
    assert code == 1
    assert "pip install 'tfretrieval[serve]'" in line


def test_what_is_answered_is_sent_at_once():
    """Asyncio turns Nagle's algorithm off on sockets of this protocol alone; with it a small answer waits for 40 ms."""
    from tfretrieval.serve.server import listening

    with listening("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP
