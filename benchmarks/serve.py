"""`tfret serve`: latency of a search by upload, from one client and from 32.

The run is the small backbone on the photographs in `TFRET_MIT_SPLIT`, whose test images are uploaded in turn. The same
search in the process, without HTTP, is measured for comparison. The memory of the server is read after 1,000 and 10,000
requests.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from embed import TFRET, images_and_weights, trained_run
from fastapi import UploadFile
from results import publish
from timing import spread

from tfretrieval.data.catalog import Catalog
from tfretrieval.serve.api import search_upload
from tfretrieval.serve.loading import open_collection
from tfretrieval.serve.service import Service

K, N_CLIENTS, EARLY_REQUESTS = 12, 32, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few requests, nothing saved")
    options = parser.parse_args()
    inputs = images_and_weights()
    if inputs is None:
        return
    data, weights = inputs
    seconds, n_requests, n_single = (2.0, 200, 20) if options.quick else (60.0, 10_000, 400)
    run = trained_run("mobilenet_v2_0.35", data, "0", str(weights))
    images = [Path(path).read_bytes() for path in Catalog.from_source(data).split("test").paths]
    service = Service(open_collection(run))
    in_process, over_http = [], []
    with server(run.directory) as (address, process), httpx.Client(base_url=address, timeout=60) as client:
        for image in itertools.islice(itertools.cycle(images), n_single):
            upload = UploadFile(io.BytesIO(image))
            in_process.append(timed(lambda upload=upload: search_upload(service, upload, K, [], [])))
            over_http.append(timed(lambda image=image: post_search(client, image)))
        latencies, errors = concurrent_latencies(address, images, N_CLIENTS, seconds)
        memory = [(0, resident_megabytes(process))]
        for count in range(n_requests):
            post_search(client, images[count % len(images)])
            if count + 1 in (min(EARLY_REQUESTS, n_requests // 2), n_requests):
                memory.append((count + 1, resident_megabytes(process)))
    assert not errors, errors[:3]
    rows = [
        row("in the process", 1, in_process, 1),
        row("over HTTP", 1, over_http, 1),
        row("over HTTP", N_CLIENTS, latencies, 0, f"{len(latencies) / seconds:.0f}"),
    ]
    sizes = ", ".join(f"{size:.0f} MB after {count:,}" for count, size in memory)
    notes = (
        f"{len(images)} photographs uploaded in turn, k = {K}, {len(service.collection.gallery):,} gallery items; "
        f"{n_single} searches by one client, alternating with searches in the process, then {N_CLIENTS} clients for "
        f"{seconds:g} seconds. Medians, ranges in parentheses. A search over HTTP takes "
        f"{np.median(over_http) / np.median(in_process):.2f} times as long as in the process. Resident memory of the "
        f"server: {sizes} further requests by one client. No request failed."
    )
    publish("serve", "Search by upload over HTTP", rows, notes, save=not options.quick)


def row(search: str, clients: int, seconds: list[float], digits: int, rate: str = "") -> dict[str, Any]:
    milliseconds = spread([1000 * s for s in seconds], digits)
    return {"search": search, "clients": clients, "milliseconds": milliseconds, "requests/s": rate}


def post_search(client: httpx.Client, image: bytes) -> None:
    response = client.post("/api/search", files={"image": image}, data={"k": K})
    assert response.status_code == 200, response.text


def timed(run: Callable[[], Any]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def concurrent_latencies(
    address: str, images: list[bytes], n_clients: int, seconds: float
) -> tuple[list[float], list[str]]:
    """Latencies of the requests of several clients within some seconds, and their errors."""
    latencies: list[float] = []
    errors: list[str] = []
    deadline = time.perf_counter() + seconds

    def send_requests(first: int) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            for image in itertools.islice(itertools.cycle(images), first, None):
                if time.perf_counter() > deadline:
                    return
                try:
                    latencies.append(timed(lambda image=image: post_search(client, image)))
                except (httpx.HTTPError, AssertionError) as error:
                    errors.append(repr(error))

    threads = [threading.Thread(target=send_requests, args=(7 * client,)) for client in range(n_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return latencies, errors


def resident_megabytes(process: psutil.Process) -> float:
    return process.memory_info().rss / 1e6


@contextlib.contextmanager
def server(run: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a server over a run."""
    command = [str(TFRET), "serve", "--run", str(run), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sys.stderr, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split(" at ")[1].split()[0], psutil.Process(process.pid)
        process.terminate()


if __name__ == "__main__":
    main()
