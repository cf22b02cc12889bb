"""Starting and stopping the server."""

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
    processes = []

    def start(*options: str):
        command = [sys.executable, "-c", "from tfretrieval.cli import main; main()", "serve", "--run"]
        command += [str(served_run.directory), "--port", "0", *options]
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, **piped, start_new_session=True)
        processes.append(process)
        line = process.stdout.readline()
        match = re.search(r"http://\S+", line)
        assert match, process.stderr.read()
        return process, match[0]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_finishes_requests_before_it_stops(started, query_file, number):
    process, address = started()
    assert httpx.get(f"{address}/api/ready", timeout=60).json() == {"status": "ok"}
    assert "tfretrieval" in httpx.get(address, timeout=60).text
    responses, image = [], query_file.read_bytes()

    def send():
        for _ in range(5):
            try:
                responses.append(httpx.post(f"{address}/api/search", files={"image": image}, timeout=60))
            except httpx.TransportError:  # the server has stopped
                return

    client = threading.Thread(target=send)
    client.start()
    while not responses:
        client.join(0.01)
    os.kill(process.pid, number)
    _, errors = process.communicate(timeout=30)
    client.join(60)
    assert all(response.status_code == 200 for response in responses)
    assert process.returncode in (0, -number)
    assert "Traceback" not in errors


def refused(capfd, *arguments) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code, capfd.readouterr().err.strip().splitlines()[-1]


def test_a_port_in_use_is_an_error(served_run, capfd):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, line = refused(capfd, "serve", "--run", served_run.directory, "--port", taken.getsockname()[1])
    assert (code, line.split(": ")[:2]) == (1, ["tfret", "error"])
    assert "--port" in line


def test_an_address_of_another_machine_is_an_error(served_run, capfd):
    code, line = refused(capfd, "serve", "--run", served_run.directory, "--host", "203.0.113.9")
    assert code == 1
    assert "203.0.113.9" in line
    assert "--host" in line


def test_a_folder_without_a_run_is_an_error(tmp_path, capfd):
    code, line = refused(capfd, "serve", "--run", tmp_path)
    assert code == 1
    assert "is not a run" in line


def test_a_missing_package_is_named(served_run, capfd, monkeypatch):
    from tfretrieval.serve import server

    monkeypatch.setattr(server, "REQUIRED", ("no-such-package",))
    code, line = refused(capfd, "serve", "--run", served_run.directory)
    assert code == 1
    assert "pip install 'tfretrieval[serve]'" in line


def test_small_responses_are_not_delayed():
    """Asyncio disables Nagle's algorithm only if the socket's protocol is TCP; otherwise they wait for 40 ms."""
    from tfretrieval.serve.server import listening

    with listening("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP
