"""What it takes beyond one machine's memory or cores: the rates that `docs/scale.md` reckons with.

Three parts, each a row or more: `tfret embed` alone and by a Ray of this machine, in turn; an index built within a
memory limit, whose peak is the whole process's; a collection of Milvus Lite, filled and asked. Vectors of the last two
are made up: 128 values from 5,000 Gaussian clusters (centres of variance 1, 0.35 within).
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
from embed import TFRET, inputs, trained
from made_up import clusters
from results import RESULTS, publish
from timing import in_turn, spread

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.milvus.retriever import MilvusRetriever
from tfretrieval.retrieval.recall import is_true_neighbor, true_neighbors
from tfretrieval.retrieval.transformed import TransformedVectors

D, C, WITHIN, K = 128, 5000, 0.35, 10
LIMIT = "1GB"
PARTS = ("ray", "memory-limit", "milvus")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat, nothing kept")
    parser.add_argument("--only", choices=PARTS, help="one part; what was kept of the others stays")
    options = parser.parse_args()
    quick = options.quick
    rows: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        parts: dict[str, Callable[[], list[dict[str, str]]]] = {
            "ray": lambda: by_ray(home, 200 if quick else 20_000, 1 if quick else 2),
            "memory-limit": lambda: [within_memory(home, 300_000 if quick else 5_000_000)],
            "milvus": lambda: by_milvus(home, 2_000 if quick else 50_000, 1 if quick else 3),
        }
        for name, part in parts.items():
            if options.only in (None, name):
                rows += [{"part": name, **measured} for measured in part()]
            elif not quick:
                rows += kept(name)
    notes = f"{D} values, {C:,} clusters; k = {K}. Images: those of MIT_split again and again, small backbone."
    publish("beyond", "Beyond one machine", rows, notes, keep=not quick)


def kept(part: str) -> list[dict[str, str]]:
    """The rows of a part that an earlier run has measured."""
    file = RESULTS / "beyond.json"
    rows = json.loads(file.read_text(encoding="utf-8"))["rows"] if file.is_file() else []
    return [row for row in rows if row["part"] == part]


def row(what: str, n: int, rate: str, **more: str) -> dict[str, str]:
    names = ("beside the peer", "peak memory", "on disk", "recall@10")
    return {"what": what, "items": f"{n:,}", "items/s": rate, **{name: more.get(name, "") for name in names}}


def by_ray(home: Path, n: int, repeats: int) -> list[dict[str, str]]:
    found = inputs()
    if found is None:
        return []
    data, weights = found
    run = trained("mobilenet_v2_0.35", data, "0", str(weights))
    catalog = Catalog.from_source(data)
    source = home / "many.csv"
    with source.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "path", "label", "split"])
        for i in range(n):
            place = i % len(catalog)
            writer.writerow([i, catalog.paths[place], catalog.class_names[catalog.labels[place]], "all"])

    def side(name: str, engine: str, *more: str) -> Callable[[], float]:
        def embed() -> float:
            target = home / f"{name}-{time.monotonic_ns()}"
            where = [word if word != "TARGET" else str(target) for word in more] or ["--output", str(target)]
            command = [TFRET, "embed", "--run", run.directory, "--data", source, "--engine", engine, *where]
            return seconds_and_peak([*command, "--split", "all"])[0]

        return embed

    sides = {
        "alone": side("alone", "openvino"),
        "Ray, vectors to the driver": side("ray", "ray:openvino"),
        "Ray, shards": side("shards", "ray:openvino", "--shards", "TARGET"),
    }
    seconds = in_turn(sides, repeats, warm_ups=0)
    return [
        row(
            f"embed, {name}",
            n,
            spread([n / value for value in taken], 0),
            **{"beside the peer": spread([a / b for a, b in zip(seconds["alone"], taken)], 2)},
        )
        for name, taken in seconds.items()
    ]


def within_memory(home: Path, n: int) -> dict[str, str]:
    store, output = home / "store", home / "index"
    file = home / "vectors.npy"
    vectors = np.lib.format.open_memmap(file, "w+", np.float32, (n, D))
    for part, start in enumerate(range(0, n, 500_000)):
        vectors[start : start + 500_000] = clusters(min(500_000, n - start), D, C, WITHIN, 0, part)[0]
    vectors.flush()
    Embeddings.from_arrays(vectors).save(store, file)
    command = [TFRET, "index", "--store", store, "--output", output, "--retriever", "faiss", "--memory-limit", LIMIT]
    seconds, peak, answer = seconds_and_peak([*command, "--json"])
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    return row(
        f"FAISS index within {LIMIT}: {answer['factory']}",
        n,
        f"{n / seconds:,.0f}",
        **{
            "peak memory": f"{peak / 2**20:.0f} MiB",
            "on disk": f"{size / n:.0f} bytes an item",
            "recall@10": f"{answer['recall_at_10']:.4f}",
        },
    )


def by_milvus(home: Path, n: int, repeats: int) -> list[dict[str, str]]:
    gallery, queries = (clusters(size, D, C, WITHIN, 0, part)[0] for part, size in enumerate((n, 200)))
    vectors = TransformedVectors(gallery)
    limits = true_neighbors(vectors, queries, K).distances[:, -1:]
    rows = []
    for index_type in ("FLAT", "HNSW"):
        file = home / f"{index_type}.db"
        retriever = MilvusRetriever(index_type=index_type, uri=str(file))
        started = time.perf_counter()
        retriever.fit(gallery)
        filling = time.perf_counter() - started
        asking = in_turn({"ask": lambda retriever=retriever: retriever.kneighbors(queries, K)}, repeats)["ask"]
        recall = float(is_true_neighbor(vectors, queries, retriever.kneighbors(queries, K)[1], limits).mean())
        size = sum(path.stat().st_size for path in [file, *file.rglob("*")] if path.is_file())
        rows.append(
            row(
                f"Milvus Lite {index_type}: filled",
                n,
                f"{n / filling:,.0f}",
                **{"on disk": f"{size / n:.0f} bytes an item", "recall@10": f"{recall:.4f}"},
            )
        )
        rows.append(
            row(f"Milvus Lite {index_type}: queries", len(queries), f"{len(queries) / statistics.median(asking):,.0f}")
        )
    return rows


def seconds_and_peak(command: list[Any]) -> tuple[float, int, dict[str, Any]]:
    """Run a command: its seconds, its highest allocated memory in bytes without mapped files, and its JSON output."""
    started, peak = time.perf_counter(), 0
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen([str(word) for word in command], stdout=out, stderr=err)
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):  # it has just ended
                memory = psutil.Process(process.pid).memory_info()
                peak = max(peak, memory.rss - memory.shared)
            time.sleep(0.05)
        seconds = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(err.read())
        text = out.read()
    return seconds, peak, json.loads(text) if "--json" in command else {}


if __name__ == "__main__":
    main()
