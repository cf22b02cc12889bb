"""`tfret serve`: a search by upload, from the client's first byte to the answer's last, by one client and by 32.

The run is the small backbone on the photographs of `TFRET_MIT_SPLIT`; its test photographs are uploaded in turn. The
peer is the same search in the server's own process, without HTTP. Memory is the server's, after 1,000 requests and
after 10,000.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import psutil
from embed import TFRET, inputs, trained
from results import publish
from timing import spread

from tfretrieval.data.catalog import Catalog
from tfretrieval.runs import Run
from tfretrieval.serve.loading import open_collection
from tfretrieval.serve.service import Service

WARM = 1000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="seconds and requests are few")
    options = parser.parse_args()
    found = inputs()
    if found is None:
        return
    data, weights = found
    seconds, requests, single = (2.0, 200, 20) if options.quick else (60.0, 10_000, 400)
    run = trained("mobilenet_v2_0.35", data, "0", str(weights))
    images = [Path(path).read_bytes() for path in Catalog.from_source(data).split("test").paths]
    service = Service(open_collection(Run(run.directory)))
    alone, served = [], []
    with server(run.directory) as (address, process):
        client = httpx.Client(base_url=address, timeout=60)
        for image in itertools.islice(itertools.cycle(images), single):  # in turn
            alone.append(timed(lambda image=image: service.search_upload(image, 12, [], [])))
            served.append(timed(lambda image=image: ask(client, image)))
        latencies, faults = crowd(address, images, 32, seconds)
        memory = [(0, resident(process))]
        for count in range(requests):
            ask(client, images[count % len(images)])
            if count + 1 in (min(WARM, requests // 2), requests):
                memory.append((count + 1, resident(process)))
    assert not faults, faults[:3]
    rows = [
        *(
            {"search": way, "clients": 1, "milliseconds": spread([1000 * t for t in taken], 1), "a second": ""}
            for way, taken in (("in the process", alone), ("over HTTP", served))
        ),
        {
            "search": "over HTTP", "clients": 32, "milliseconds": spread([1000 * t for t in latencies], 0),
            "a second": f"{len(latencies) / seconds:.0f}",
        },
    ]  # fmt: skip
    grown = ", ".join(f"{size:.0f} MB after {count:,}" for count, size in memory)
    notes = (
        f"{len(images)} photographs uploaded in turn, k = 12, 1,881 items; {single} searches by one client, in turn "
        f"with as many in the process, then {seconds:g} seconds by 32. Median, and the range. Over HTTP a search takes "
        f"{np.median(served) / np.median(alone):.2f} times as long as without. Resident memory of the server: {grown} "
        "more searches by one client. No request failed."
    )
    publish("serve", "Search by upload over HTTP", rows, notes, keep=not options.quick)


def ask(client: httpx.Client, image: bytes) -> None:
    answer = client.post("/api/search", files={"image": image}, data={"k": 12})
    assert answer.status_code == 200, answer.text


def timed(action) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def crowd(address: str, images: list[bytes], clients: int, seconds: float) -> tuple[list[float], list[str]]:
    """What each request of many clients took within some seconds, and what went wrong."""
    taken: list[float] = []
    faults: list[str] = []
    until = time.perf_counter() + seconds

    def one(start: int) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            for image in itertools.islice(itertools.cycle(images), start, None):
                if time.perf_counter() > until:
                    return
                try:
                    taken.append(timed(lambda image=image: ask(client, image)))
                except (httpx.HTTPError, AssertionError) as error:
                    faults.append(repr(error))

    threads = [threading.Thread(target=one, args=(number * 7,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken, faults


def resident(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


@contextlib.contextmanager
def server(run: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A server over a run, and its process."""
    command = [str(TFRET), "serve", "--run", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True) as started:
        assert started.stdout is not None
        yield started.stdout.readline().split(" at ")[1].split()[0], psutil.Process(started.pid)
        started.terminate()


if __name__ == "__main__":
    main()
