"""Growth of time and memory: embed, index, search and evaluate 1,000 to 1,000,000 items.

Every step runs in its own process, which measures its peak memory. Images are the photographs in `TFRET_MIT_SPLIT`,
repeated, embedded by the study's small net at 64 pixels. Vectors are synthetic: 128 dimensions, one Gaussian cluster
per 200 vectors. The exponent of a step is the slope of log time over log n since the previous size.

Expected: embedding, adding to Flat and searching Flat are linear. HNSW search is logarithmic and its build n log n. The
number of IVF lists grows with the square root of n: adding compares each vector with all centroids, n^1.5, and a query
probes 8 lists, n^0.5. Memory is linear, except for embedding, whose vectors are a memory-mapped file.
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
from peer import HERE
from results import publish
from synthetic_vectors import gaussian_clusters

from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.retrieval.faiss import FaissRetriever
from tfretrieval.retrieval.index import Index
from tfretrieval.retrieval.settings import FaissSettings, load_retriever

WORK = HERE / ".runs" / "growth"
FIGURE = HERE.parent / "docs" / "growth.png"
D, STD, PER_CLUSTER, Q, K, DEPTH, SEARCHES = 128, 0.35, 200, 2000, 10, 1000, 3
SIZES = (1_000, 10_000, 100_000, 1_000_000)
MAX_SLOW_SIZE = 100_000  # of embedding and evaluation
INDEXES = ("Flat", "HNSW32", "IVF")
EXPECTED = {
    "embed convnet": "1", "index Flat": "1", "index HNSW32": "n log n", "index IVF": "1.5", "search Flat": "1",
    "search HNSW32": "log n", "search IVF": "0.5", "evaluate Flat": "1",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small sizes, no images, nothing saved")
    parser.add_argument("--one", nargs=3, metavar=("STEP", "N", "METHOD"), help="run one step in this process")
    options = parser.parse_args()
    if options.one:
        step, n, method = options.one
        print(json.dumps(STEPS[step](int(n), method)))
        return
    sizes = (200, 2_000) if options.quick else SIZES
    measured = [measure(step, n, method) for step, method, n in plan(sizes, with_images=not options.quick)]
    series = with_exponents(measured)
    notes = (
        f"Vectors of {D} dimensions; {Q:,} queries in one batch, k = {K}, median of {SEARCHES} searches; evaluation of "
        f"{Q:,} queries to depth {DEPTH:,}. The exponent is log(time ratio) / log(size ratio) to the previous size. "
        "100,000 vectors fit into the processor's cache and 1,000,000 do not, which adds to the time of every step "
        "that reads them."
    )
    if not options.quick:
        plot(series)
        notes += "\n\n![Time and memory against the number of items](growth.png)"
    publish("growth", "Growth", [row for rows in series.values() for row in rows], notes, save=not options.quick)


def plan(sizes: tuple[int, ...], with_images: bool) -> Iterator[tuple[str, str, int]]:
    """Step, method and n of every measurement; an index is searched after it was built."""
    for n in sizes:
        if with_images and n <= MAX_SLOW_SIZE and photographs() is not None:
            yield "embed", "convnet", n
        for method in INDEXES:
            yield "index", method, n
            yield "search", method, n
        if n <= MAX_SLOW_SIZE:
            yield "evaluate", "Flat", n


def measure(step: str, n: int, method: str) -> dict[str, Any]:
    """Run one step in a new process."""
    command = [sys.executable, __file__, "--one", step, str(n), method]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    row = {"step": step, "method": method, "n": n, **json.loads(output.splitlines()[-1])}
    print(row, file=sys.stderr, flush=True)
    return row


def with_exponents(measured: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Step and method -> rows of the table by size, each with its exponent since the previous size."""
    series: dict[str, list[dict[str, Any]]] = {}
    for row in measured:
        name = f"{row['step']} {row['method']}"
        rows, exponent = series.setdefault(name, []), ""
        if rows:
            ratio = row["seconds"] / max(1e-9, rows[-1]["seconds"])
            exponent = f"{math.log(ratio) / math.log(row['n'] / rows[-1]['n']):.2f}"
        rounded = {"seconds": round(row["seconds"], 4), "MB": round(row["MB"])}
        rows.append({**row, **rounded, "exponent": exponent, "expected exponent": EXPECTED[name]})
    return series


def embed(n: int, backbone: str) -> dict[str, float]:
    from tfretrieval.embedding.openvino.engine import OpenVINOEngine

    converted = WORK / backbone
    if not converted.exists():
        from tfretrieval.embedding.openvino.convert import save_openvino_model
        from tfretrieval.models.embedder import build_embedder

        save_openvino_model(build_embedder(backbone, 64, 10), converted, "crop", {"model": backbone})
        # measure in a process that has not imported TensorFlow
        command = [sys.executable, *sys.argv]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    files = sorted(str(path) for path in photographs().rglob("*.jpg"))  # type: ignore[union-attr]
    catalog = Catalog.from_lists([files[i % len(files)] for i in range(n)], ids=[str(i) for i in range(n)])
    shutil.rmtree(WORK / "store", ignore_errors=True)
    return timed(lambda: OpenVINOEngine(converted).embed(catalog, directory=WORK / "store"))


def index(n: int, method: str) -> dict[str, float]:
    gallery = vectors_and_labels(n)[0]
    retriever = FaissRetriever(factory_string(method, n), search={"nprobe": 8} if method == "IVF" else None)
    result = timed(lambda: retriever.fit(gallery))
    directory = WORK / f"{method}-{n}"
    directory.mkdir(parents=True, exist_ok=True)
    retriever.save(directory)
    return result


def search(n: int, method: str) -> dict[str, float]:
    queries = vectors_and_labels(n, Q, part=1)[0]
    retriever = load_retriever(WORK / f"{method}-{n}")
    retriever.kneighbors(queries, K)
    searches = [timed(lambda: retriever.kneighbors(queries, K)) for _ in range(SEARCHES)]
    return {"seconds": statistics.median(each["seconds"] for each in searches), "MB": searches[-1]["MB"]}


def evaluation(n: int, method: str) -> dict[str, float]:
    gallery, queries = (
        Embeddings.from_arrays(vectors, labels, ids=[f"{part}-{i}" for i in range(len(labels))])
        for part, (vectors, labels) in enumerate((vectors_and_labels(n), vectors_and_labels(n, Q, part=1)))
    )
    built = Index.build(gallery, FaissSettings("euclidean", factory=factory_string(method, n)))
    return timed(lambda: evaluate(built, queries, depth=min(DEPTH, n)))


STEPS = {"embed": embed, "index": index, "search": search, "evaluate": evaluation}


def timed(run: Callable[[], Any]) -> dict[str, float]:
    started = time.perf_counter()
    run()
    return {"seconds": time.perf_counter() - started, "MB": peak_megabytes()}


def peak_megabytes() -> float:
    """Peak resident memory of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def vectors_and_labels(n: int, size: int | None = None, part: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """`size` vectors, by default n, from the clusters of a gallery of n."""
    return gaussian_clusters(size or n, D, max(1, n // PER_CLUSTER), STD, 0, part)


def factory_string(method: str, n: int) -> str:
    """A factory string; IVF gets 4 sqrt(n) lists, as recommended for FAISS, with at least 39 vectors in each."""
    return f"IVF{min(int(4 * math.sqrt(n)), n // 39)},Flat" if method == "IVF" else method


def photographs() -> Path | None:
    path = Path(os.environ.get("TFRET_MIT_SPLIT") or HERE.parent.parent / "shared" / "data" / "MIT_split")
    return path if path.is_dir() else None


def plot(series: dict[str, list[dict[str, Any]]]) -> None:
    from matplotlib.figure import Figure

    from tfretrieval.visualize.theme import class_style, save_figure, themed

    with themed():
        figure = Figure(figsize=(11, 5), layout="constrained")
        left, right = figure.subplots(1, 2)
        for number, (name, rows) in enumerate(series.items()):
            style = class_style(number)
            line = {"color": style.color, "linestyle": style.linestyle, "marker": style.marker, "label": name}
            for axes, column in ((left, "seconds"), (right, "MB")):
                axes.loglog([row["n"] for row in rows], [row[column] for row in rows], **line)
        left.set(xlabel="items", title="Seconds")
        right.set(xlabel="items", title="Peak memory, MB")
        left.legend(fontsize=8)
        save_figure(figure, FIGURE)


if __name__ == "__main__":
    main()
