"""A cold `tfret query` on one image with the engines openvino and keras: whole processes.

The gallery has 100,000 vectors of the small backbone: those of the photographs in `TFRET_MIT_SPLIT`, repeated with a
little noise. The two runs differ only in the engine that embedded their gallery, which also embeds the query.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from embed import RUNS, TFRET, images_and_weights, trained_run
from results import publish
from timing import speedup, spread, time_interleaved

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import settings_for
from tfretrieval.runs import Run

RETRIEVERS = ("knn", "faiss")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9, help="number of rounds")
    parser.add_argument("--quick", action="store_true", help="a gallery of 2,000, one round, nothing saved")
    options = parser.parse_args()
    inputs = images_and_weights()
    if inputs is None:
        return
    data, weights = inputs
    n, repeats = (2_000, 1) if options.quick else (100_000, options.repeats)
    backbone = trained_run("mobilenet_v2_0.35", data, "0", str(weights))
    image = Path(Catalog.from_source(data).split("test").paths[0])
    runs = {engine: run_with_gallery(backbone, engine, n) for engine in ("openvino", "keras")}
    rows: list[dict[str, Any]] = []
    for retriever in RETRIEVERS:
        sides = {engine: functools.partial(query, run, retriever, image) for engine, run in runs.items()}
        seconds = time_interleaved(sides, repeats)
        ratio = speedup(seconds["openvino"], seconds["keras"])
        rows += [
            {
                "retriever": retriever,
                "engine": engine,
                "seconds": spread(values, 2),
                "speedup over keras": f"{ratio:.1f}" if engine == "openvino" else "",
            }
            for engine, values in seconds.items()
        ]
    notes = (
        f"One photograph, {n:,} vectors of 1,280 dimensions, exact search; whole processes, {repeats} rounds after one "
        "that fills the page cache."
    )
    publish("query", "Cold query", rows, notes, save=not options.quick)


def query(run: Run, retriever: str, image: Path) -> None:
    command = [str(TFRET), "query", "--run", str(run.directory), "--retriever", retriever, str(image)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run_with_gallery(source: Run, engine: str, n: int) -> Run:
    """A copy of a run with n gallery vectors and an index of each type."""
    run = Run(RUNS / f"query-{engine}")
    shutil.rmtree(run.directory, ignore_errors=True)
    shutil.copytree(source.directory, run.directory, ignore=shutil.ignore_patterns("embeddings", "index", "evaluation"))
    embed = [str(TFRET), "embed", "--run", str(run.directory), "--engine", engine, "--split", "train"]
    subprocess.run(embed, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    embedded = Embeddings.load(run.embeddings("train"), mmap=False)
    items, rows = embedded.items, np.arange(n) % len(embedded)
    noise = np.random.default_rng(0).normal(0, 0.01, (n, embedded.dim)).astype(np.float32)
    gallery = Embeddings.from_arrays(
        embedded.vectors[rows] + noise,
        items.labels[rows],
        items.class_names,
        [f"{items.ids[row]}-{i}" for i, row in enumerate(rows)],
        items.paths[rows],
        items.splits[rows],
        embedded.provenance,
    )
    gallery.save(run.embeddings("train"))
    for retriever in RETRIEVERS:
        Index.build(gallery, settings_for(retriever)).save(run.index(retriever))
    return run


if __name__ == "__main__":
    main()
