"""How time and memory grow with the collection: embed, index, search and evaluate at 1,000 to 1,000,000 items.

Every step runs in a process of its own, which measures its peak of memory. Images are the photographs of
`TFRET_MIT_SPLIT` over and over, embedded by the study's small net at 64 pixels; vectors are made up, 128 values from a
cluster for every 200 of them. The exponent of a step is the slope of log time against log n over the last decade.

In theory embedding, filling Flat and a query of Flat are linear. A query of HNSW is logarithmic, building it
n log n. IVF has lists in the number of the square root of n: filling it compares each vector with all centroids, n^1.5,
and a query looks into 8 lists, n^0.5. Memory is linear in everything but embedding, whose vectors are a mapped file.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from made_up import clusters
from peer import HERE
from results import publish

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings, load_retriever

WORK = HERE / ".runs" / "growth"
IMAGE = HERE.parent / "docs" / "growth.png"
D, PER_CLUSTER, Q, K, DEPTH, SEARCHES = 128, 200, 2000, 10, 1000, 3
DECADES = (1_000, 10_000, 100_000, 1_000_000)
INDEXES = ("Flat", "HNSW32", "IVF")
THEORY = {
    "embed convnet": "1", "index Flat": "1", "index HNSW32": "1, and log n", "index IVF": "1.5", "search Flat": "1",
    "search HNSW32": "log n", "search IVF": "0.5", "evaluate Flat": "1",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="two small sizes, no images, nothing kept")
    parser.add_argument("--one", nargs=3, metavar=("STEP", "N", "WHAT"), help="run one step in this process")
    options = parser.parse_args()
    if options.one:
        step, n, what = options.one
        print(json.dumps(STEPS[step](int(n), what)))
        return
    sizes = (200, 2_000) if options.quick else DECADES
    found = [measured(step, n, what) for step, what, n in planned(sizes, with_images=not options.quick)]
    rows = [row for series in by_step(found).values() for row in series]
    notes = (
        f"{D} values; {Q:,} queries in one batch, k = {K}, median of {SEARCHES}; evaluation of {Q:,} queries to depth "
        f"{DEPTH:,}. The exponent is that of the time over the decade before. Up to 100,000 vectors lie in the "
        "processor's cache, 1,000,000 do not, which costs every step that reads them some time more than theory has it."
    )
    if not options.quick:
        draw(by_step(found))
        notes += "\n\n![Time and memory against the number of items](growth.png)"
    publish("growth", "Growth", rows, notes, keep=not options.quick)


def planned(sizes: tuple[int, ...], with_images: bool) -> Iterator[tuple[str, str, int]]:
    for n in sizes:
        if with_images and n <= 100_000 and photographs() is not None:
            yield "embed", "convnet", n
        for what in INDEXES:
            yield "index", what, n
            yield "search", what, n
        if n <= 100_000:
            yield "evaluate", "Flat", n


def measured(step: str, n: int, what: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--one", step, str(n), what]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    row = {"step": step, "what": what, "n": n, **json.loads(said.splitlines()[-1])}
    print(row, file=sys.stderr, flush=True)
    return row


def by_step(found: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Rows of the table, by step, each with its exponent over the decade before it."""
    series: dict[str, list[dict[str, Any]]] = {}
    for row in found:
        before = series.setdefault(f"{row['step']} {row['what']}", [])
        exponent = ""
        if before:
            last = before[-1]
            exponent = f"{math.log(row['seconds'] / last['seconds']) / math.log(row['n'] / last['n']):.2f}"
        rounded = {"seconds": round(row["seconds"], 4), "MB": round(row["MB"])}
        theory = THEORY[f"{row['step']} {row['what']}"]
        before.append({**row, **rounded, "exponent": exponent, "in theory": theory})
    return series


def embed(n: int, what: str) -> dict[str, float]:
    from tfretrieval.embedding.openvino.engine import OpenVINOEngine

    engine_folder = WORK / what
    if not engine_folder.exists():
        from tfretrieval.embedding.openvino.convert import save_openvino_model
        from tfretrieval.models import build_embedder

        save_openvino_model(build_embedder(what, 64, 10), engine_folder, "crop", {"model": what})
        return json.loads(
            subprocess.run([sys.executable, *sys.argv], check=True, stdout=subprocess.PIPE, text=True).stdout
        )
    files = sorted(str(path) for path in photographs().rglob("*.jpg"))  # type: ignore[union-attr]
    catalog = Catalog.from_lists([files[i % len(files)] for i in range(n)], ids=[str(i) for i in range(n)])
    shutil.rmtree(WORK / "store", ignore_errors=True)
    return timed(lambda: OpenVINOEngine(engine_folder).embed(catalog, directory=WORK / "store"))


def index(n: int, what: str) -> dict[str, float]:
    gallery = made(n)[0]
    retriever = FaissRetriever(factory_of(what, n), search={"nprobe": 8} if what == "IVF" else None)
    result = timed(lambda: retriever.fit(gallery))
    folder = WORK / f"{what}-{n}"
    folder.mkdir(parents=True, exist_ok=True)
    retriever.save(folder)
    return result


def search(n: int, what: str) -> dict[str, float]:
    queries = clusters(Q, D, max(1, n // PER_CLUSTER), 0.35, 0, 1)[0]
    retriever = load_retriever(WORK / f"{what}-{n}")
    retriever.kneighbors(queries, K)
    taken = [timed(lambda: retriever.kneighbors(queries, K)) for _ in range(SEARCHES)]
    return {"seconds": statistics.median(each["seconds"] for each in taken), "MB": taken[-1]["MB"]}


def evaluated(n: int, what: str) -> dict[str, float]:
    c = max(2, n // PER_CLUSTER)
    gallery, queries = (
        Embeddings.from_arrays(vectors, labels, [str(i) for i in range(c)], [f"{part}-{i}" for i in range(len(labels))])
        for part, (vectors, labels) in enumerate((clusters(n, D, c, 0.35, 0, 0), clusters(Q, D, c, 0.35, 0, 1)))
    )
    settings = FaissSettings("euclidean", factory=factory_of(what, n))
    index = Index.build(gallery, settings)
    return timed(lambda: evaluate(index, queries, depth=min(DEPTH, n)))


STEPS = {"embed": embed, "index": index, "search": search, "evaluate": evaluated}


def timed(run: Callable[[], Any]) -> dict[str, float]:
    started = time.perf_counter()
    run()
    return {"seconds": time.perf_counter() - started, "MB": peak_megabytes()}


def peak_megabytes() -> float:
    """The most memory that this program has taken, as Linux keeps it."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def made(n: int) -> tuple[np.ndarray, np.ndarray]:
    return clusters(n, D, max(1, n // PER_CLUSTER), 0.35, 0, 0)


def factory_of(what: str, n: int) -> str:
    """An IVF index has about the square root of n times 4 lists, as is usual, and 39 vectors in each at least."""
    return f"IVF{min(int(4 * math.sqrt(n)), n // 39)},Flat" if what == "IVF" else what


def photographs() -> Path | None:
    path = Path(os.environ.get("TFRET_MIT_SPLIT") or HERE.parent.parent / "shared" / "data" / "MIT_split")
    return path if path.is_dir() else None


def draw(series: dict[str, list[dict[str, Any]]]) -> None:
    from matplotlib.figure import Figure

    from tfretrieval.visualize.theme import class_style, save_figure, themed

    with themed():
        figure = Figure(figsize=(11, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        for number, (name, rows) in enumerate(series.items()):
            style = class_style(number)
            drawn = {"color": style.color, "linestyle": style.linestyle, "marker": style.marker, "label": name}
            for axes, column in ((left, "seconds"), (right, "MB")):
                axes.loglog([row["n"] for row in rows], [row[column] for row in rows], **drawn)
        left.set(xlabel="items", title="Seconds")
        right.set(xlabel="items", title="Peak of memory, MB")
        left.legend(fontsize=8)
        IMAGE.parent.mkdir(exist_ok=True)
        save_figure(figure, IMAGE)


if __name__ == "__main__":
    main()
