"""Work beyond one machine's memory or cores; `estimate_costs.py` extrapolates these rates in `docs/scale.md`.

Three parts: `tfret embed` alone and with Ray on this machine; an index built within a memory limit, with the peak of
the whole process; a Milvus Lite collection, filled and searched. The last two use synthetic vectors of 128 dimensions
from 5,000 Gaussian clusters (centers of variance 1, standard deviation 0.35 within).
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from embed import TFRET, images_and_weights, trained_run
from results import RESULTS, publish
from synthetic_vectors import gaussian_clusters
from timing import spread, time_interleaved

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.milvus.retriever import MilvusRetriever
from tfretrieval.retrieval.recall import is_true_neighbor, true_neighbors
from tfretrieval.retrieval.transformed import TransformedVectors
from tfretrieval.runs import Run

D, C, STD, K = 128, 5000, 0.35, 10
MEMORY_LIMIT, QUICK_MEMORY_LIMIT = "1GB", "500MB"
PARTS = ("ray", "memory-limit", "milvus")
COLUMNS = ("relative speed", "peak memory", "on disk", "recall@10")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round, nothing saved")
    parser.add_argument("--only", choices=PARTS, help="measure one part and keep the saved rows of the others")
    options = parser.parse_args()
    quick = options.quick
    rows: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        parts: dict[str, Callable[[], list[dict[str, str]]]] = {
            "ray": lambda: embed_with_ray(work, 200 if quick else 20_000, 1 if quick else 2),
            "memory-limit": lambda: [
                index_within_limit(work, 300_000, QUICK_MEMORY_LIMIT)
                if quick
                else index_within_limit(work, 5_000_000, MEMORY_LIMIT)
            ],
            "milvus": lambda: fill_and_search_milvus(work, 2_000 if quick else 50_000, 1 if quick else 3),
        }
        for name, measure in parts.items():
            if options.only in (None, name):
                rows += [{"part": name, **measured} for measured in measure()]
            elif not quick:
                rows += saved_rows(name)
    notes = (
        f"Vectors of {D} dimensions from {C:,} clusters, k = {K}. Images are those of MIT_split, repeated, embedded by "
        "the small backbone. Peak memory is what the process allocates, without memory-mapped files."
    )
    publish("scale_out", "Scaling out", rows, notes, save=not quick)


def embed_with_ray(work: Path, n: int, repeats: int) -> list[dict[str, str]]:
    """`tfret embed` with OpenVINO, alone and distributed by Ray with and without shards."""
    inputs = images_and_weights()
    if inputs is None:
        return []
    data, weights = inputs
    run = trained_run("mobilenet_v2_0.35", data, "0", str(weights))
    source = work / "repeated.csv"
    write_repeated(source, Catalog.from_source(data), n)
    seconds = time_interleaved(
        {
            "alone": lambda: embed_seconds(run, source, "openvino", "--output", work),
            "Ray, vectors to the driver": lambda: embed_seconds(run, source, "ray:openvino", "--output", work),
            "Ray, shards": lambda: embed_seconds(run, source, "ray:openvino", "--shards", work),
        },
        repeats,
        warm_ups=0,
    )
    return [
        row(
            f"embed, {name}",
            n,
            spread([n / value for value in values], 0),
            **{"relative speed": spread([a / b for a, b in zip(seconds["alone"], values)], 2)},
        )
        for name, values in seconds.items()
    ]


def write_repeated(path: Path, catalog: Catalog, n: int) -> None:
    """Write a CSV file that lists the images of a catalog again and again, n in total."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "path", "label", "split"])
        for i in range(n):
            item = i % len(catalog)
            writer.writerow([i, catalog.paths[item], catalog.class_of(item), "all"])


def embed_seconds(run: Run, source: Path, engine: str, target_option: str, work: Path) -> float:
    target = work / f"embedded-{time.monotonic_ns()}"
    command = [TFRET, "embed", "--run", run.directory, "--data", source, "--engine", engine, target_option, target]
    return run_command([*command, "--split", "all"])[0]


def index_within_limit(work: Path, n: int, limit: str) -> dict[str, str]:
    """`tfret index --memory-limit` over n vectors."""
    store, output, file = work / "store", work / "index", work / "vectors.npy"
    vectors = np.lib.format.open_memmap(file, "w+", np.float32, (n, D))
    for part, start in enumerate(range(0, n, 500_000)):
        vectors[start : start + 500_000] = gaussian_clusters(min(500_000, n - start), D, C, STD, 0, part)[0]
    vectors.flush()
    Embeddings.from_arrays(vectors).save(store, file)
    command = [TFRET, "index", "--store", store, "--output", output, "--retriever", "faiss"]
    seconds, peak, stdout = run_command([*command, "--memory-limit", limit, "--json"])
    result = json.loads(stdout.splitlines()[-1])
    return row(
        f"FAISS index within {limit}: {result['factory']}",
        n,
        f"{n / seconds:,.0f}",
        **{
            "peak memory": f"{peak / 2**20:.0f} MiB",
            "on disk": f"{disk_bytes(output) / n:.0f} bytes/item",
            "recall@10": f"{result['recall_at_10']:.4f}",
        },
    )


def fill_and_search_milvus(work: Path, n: int, repeats: int) -> list[dict[str, str]]:
    """Insert n vectors into Milvus Lite and search them, exactly and with HNSW."""
    gallery, queries = (gaussian_clusters(size, D, C, STD, 0, part)[0] for part, size in enumerate((n, 200)))
    vectors = TransformedVectors(gallery)
    kth_distances = true_neighbors(vectors, queries, K).distances[:, -1:]
    rows = []
    for index_type in ("FLAT", "HNSW"):
        database = work / f"{index_type}.db"
        retriever = MilvusRetriever(index_type=index_type, uri=str(database))
        started = time.perf_counter()
        retriever.fit(gallery)
        fit_seconds = time.perf_counter() - started
        search = {"search": lambda retriever=retriever: retriever.kneighbors(queries, K)}
        search_seconds = statistics.median(time_interleaved(search, repeats)["search"])
        neighbor_rows = retriever.kneighbors(queries, K)[1]
        recall = float(is_true_neighbor(vectors, queries, neighbor_rows, kth_distances).mean())
        rows += [
            row(
                f"Milvus Lite {index_type}, insert",
                n,
                f"{n / fit_seconds:,.0f}",
                **{"on disk": f"{disk_bytes(database) / n:.0f} bytes/item", "recall@10": f"{recall:.4f}"},
            ),
            row(f"Milvus Lite {index_type}, search", len(queries), f"{len(queries) / search_seconds:,.0f}"),
        ]
    return rows


def row(step: str, n: int, rate: str, **more: str) -> dict[str, str]:
    return {"step": step, "items": f"{n:,}", "items/s": rate, **{name: more.get(name, "") for name in COLUMNS}}


def saved_rows(part: str) -> list[dict[str, str]]:
    """Rows of a part from an earlier measurement."""
    file = RESULTS / "scale_out.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []
    return [row for row in rows if row["part"] == part]


def disk_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


def run_command(command: list[Any]) -> tuple[float, int, str]:
    """Run a command; its seconds, peak of allocated memory in bytes (without memory-mapped files), and stdout."""
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=err)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):  # the process has just ended
                memory = psutil.Process(process.pid).memory_info()
                peak = max(peak, memory.rss - memory.shared)
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(err.read())
        return seconds, peak, out.read()


if __name__ == "__main__":
    main()
