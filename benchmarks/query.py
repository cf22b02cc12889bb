"""`tfret query` on one image, a cold process to the printed result, by OpenVINO and by Keras.

The gallery holds 100,000 vectors of the small backbone: those of the photographs of `TFRET_MIT_SPLIT`, each many times
with a little noise. The two runs differ only in the engine that embedded the gallery; it embeds the query as well.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from embed import RUNS, TFRET, inputs, trained
from results import publish
from timing import in_turn, spread, times_as_fast

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import settings_for
from tfretrieval.runs import Run


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="a gallery of 2,000, one round")
    options = parser.parse_args()
    found = inputs()
    if found is None:
        return
    data, weights = found
    n, repeats = (2_000, 1) if options.quick else (100_000, options.repeats)
    backbone = trained("mobilenet_v2_0.35", data, "0", str(weights))
    image = Path(Catalog.from_source(data).split("test").paths[0])
    runs = {engine: with_gallery(backbone, engine, n) for engine in ("openvino", "keras")}
    rows: list[dict[str, Any]] = []
    for retriever in ("knn", "faiss"):
        sides = {engine: functools.partial(ask, run, retriever, image) for engine, run in runs.items()}
        seconds = in_turn(sides, repeats)
        ratio = times_as_fast(seconds["openvino"], seconds["keras"])
        rows += [
            {"retriever": retriever, "engine": engine, "seconds": spread(taken, 2),
             "times as fast as keras": f"{ratio:.1f}" if engine == "openvino" else ""}
            for engine, taken in seconds.items()
        ]  # fmt: skip
    notes = (
        f"One photograph against {n:,} vectors of 1,280 values, exact search; whole processes, {repeats} rounds after "
        "one to warm the disk's cache."
    )
    publish("query", "A cold query", rows, notes, keep=not options.quick)


def ask(run: Run, retriever: str, image: Path) -> None:
    command = [str(TFRET), "query", "--run", str(run.directory), "--retriever", retriever, str(image)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def with_gallery(source: Run, engine: str, n: int) -> Run:
    """A copy of a run with n vectors in its gallery, and an index of either kind."""
    run = Run(RUNS / f"query-{engine}")
    shutil.rmtree(run.directory, ignore_errors=True)
    shutil.copytree(source.directory, run.directory, ignore=shutil.ignore_patterns("embeddings", "index", "evaluation"))
    embed = [str(TFRET), "embed", "--run", str(run.directory), "--engine", engine, "--split", "train"]
    subprocess.run(embed, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    few = Embeddings.load(run.embeddings("train"), mmap=False)
    items, drawn = few.items, np.arange(n) % len(few)
    noise = np.random.default_rng(0).normal(0, 0.01, (n, few.dim)).astype(np.float32)
    gallery = Embeddings.from_arrays(
        few.vectors[drawn] + noise,
        items.labels[drawn],
        items.class_names,
        [f"{items.ids[row]}-{number}" for number, row in enumerate(drawn)],
        items.paths[drawn],
        items.splits[drawn],
        few.provenance,
    )
    gallery.save(run.embeddings("train"))
    for retriever in ("knn", "faiss"):
        Index.build(gallery, settings_for(retriever)).save(run.index(retriever))
    return run


if __name__ == "__main__":
    main()
