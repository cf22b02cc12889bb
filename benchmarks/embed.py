"""`tfret embed`, the whole command, files to vectors on disk, against OpenVINO's own benchmark, Keras and PyTorch.

ResNet50 at 224 pixels is trained for one epoch first, so that its vectors mean something; the small backbone takes the
weights that `TFRET_WEIGHTS` names. Images are those of `TFRET_MIT_SPLIT`. The converted model is there already in
the measured runs; what its conversion costs is a row of its own. OpenVINO's rate is that of its own `benchmark_app`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from peer import HERE, Peer
from results import publish
from timing import in_turn, spread

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_image import read_image
from tfretrieval.embedding.cosine import cosines
from tfretrieval.embedding.openvino.model_dir import MODEL
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.runs import Run

RUNS = HERE / ".runs"
TFRET = Path(sys.executable).with_name("tfret")
TORCH = ("torch==2.13.0", "numpy")
IN_MEMORY, BATCH = 128, 32


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few images, small backbone, no peers")
    options = parser.parse_args()
    found = inputs()
    if found is None:
        return
    data, weights = found
    repeats = 1 if options.quick else options.repeats
    small = trained("mobilenet_v2_0.35", data, "0", str(weights))
    rows = measured("mobilenet_v2_0.35", small, data, repeats, with_torch=False)
    if not options.quick:
        rows += measured("resnet50", trained("resnet50", data, "1", "none"), data, repeats, with_torch=True)
    notes = (
        f"{len(Catalog.from_source(data)):,} photographs of 256 pixels, brought to 224; images a second. `tfret embed` "
        f"is the whole process, files to vectors on disk. Peers compute on {IN_MEMORY} images in memory, batches of "
        f"{BATCH}, nothing decoded. The limit of both is the time to decode, by Pillow on all cores, plus the time to "
        f"compute, by OpenVINO's benchmark_app, one after the other. {repeats} rounds."
    )
    publish("embed", "Embedding images", rows, notes, keep=not options.quick)


def inputs() -> tuple[Path, Path] | None:
    """The photographs and the weights of the small backbone; None, and a line that says so, where they are missing."""
    shared = HERE.parent.parent / "shared"
    data = Path(os.environ.get("TFRET_MIT_SPLIT") or shared / "data" / "MIT_split")
    weights = Path(os.environ.get("TFRET_WEIGHTS") or shared / "weights" / "mobilenet_v2_0.35_224_imagenet_notop.h5")
    if data.is_dir() and weights.is_file():
        return data, weights
    print(f"skipped: no photographs at {data} (TFRET_MIT_SPLIT), or no weights at {weights} (TFRET_WEIGHTS)")
    return None


def measured(backbone: str, run: Run, data: Path, repeats: int, with_torch: bool) -> list[dict[str, Any]]:
    catalog = Catalog.from_source(data)
    n, output = len(catalog), RUNS / f"{backbone}-vectors"
    shutil.rmtree(run.engine("openvino"), ignore_errors=True)
    started = time.perf_counter()
    embed(run, output)
    first = time.perf_counter() - started
    precision = Embeddings.load(output / "train").provenance["precision"]
    keras_predict = Peer("keras_predict.py", str(run.model_path), str(IN_MEMORY), str(BATCH))
    sides: dict[str, Any] = {
        "tfret embed": lambda: embed(run, output),
        "OpenVINO benchmark_app": lambda: n / own_rate(run, precision),
        "decoding alone": lambda: decode_all(catalog),
        "Keras predict": lambda: keras_predict.seconds("run") * n / IN_MEMORY,
    }
    peers = [keras_predict]
    if with_torch:
        peers.append(Peer("torch_resnet50.py", str(IN_MEMORY), str(BATCH), requirements=TORCH))
        for name in ("eager", "compile", "compile bfloat16"):
            sides[f"PyTorch {name}"] = lambda name=name: peers[-1].seconds(name) * n / IN_MEMORY
    seconds = in_turn(sides, repeats)
    for peer in peers:
        peer.close()
    limit = [a + b for a, b in zip(seconds["OpenVINO benchmark_app"], seconds["decoding alone"])]
    seconds["limit of both"] = limit
    ours = seconds["tfret embed"]
    rows = [
        {
            "model": f"{backbone}, {precision}",
            "side": name,
            "images a second": spread([n / s for s in taken], 1),
            "tfret embed / side": spread([a / b for a, b in zip(taken, ours)], 2),
        }
        for name, taken in seconds.items()
    ]
    lowest, change = agreement(run, output)
    rows.append(
        {"model": f"{backbone}, {precision}", "side": "tfret embed, first time, with conversion",
         "images a second": f"{n / first:.1f}", "tfret embed / side": f"{first / statistics.median(ours):.2f}"}
    )  # fmt: skip
    rows.append(
        {"model": f"{backbone}, {precision}", "side": f"lowest cosine to Keras float32 {lowest:.6f}",
         "images a second": "", "tfret embed / side": f"change of mAP {change:+.5f}"}
    )  # fmt: skip
    return rows


def trained(backbone: str, data: Path, epochs: str, weights: str) -> Run:
    """The run of a backbone, kept for the next time."""
    run = Run(RUNS / backbone)
    if not run.model_path.is_file():
        shutil.rmtree(run.directory, ignore_errors=True)
        figures = ["--backbone", backbone, "--weights", weights, "--epochs", epochs, "--data", str(data)]
        subprocess.run([str(TFRET), "train", "resnet", *figures, "--run", str(run.directory)], check=True)
    return run


def embed(run: Run, output: Path, engine: str = "openvino") -> None:
    shutil.rmtree(output, ignore_errors=True)
    command = [str(TFRET), "embed", "--run", str(run.directory), "--engine", engine, "--output", str(output)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def own_rate(run: Run, precision: str) -> float:
    """Images a second of OpenVINO's benchmark on the converted model, an image an inference."""
    tool = Path(sys.executable).with_name("benchmark_app")
    command = [
        str(tool), "-m", str(run.engine("openvino") / MODEL), "-d", "CPU", "-hint", "throughput", "-t", "10",
        "-shape", "[1,224,224,3]", "-infer_precision", {"float32": "f32", "bfloat16": "bf16"}[precision],
    ]  # fmt: skip
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"Throughput:\s+([\d.]+) FPS", said)
    if not found:
        raise RuntimeError(said[-500:])
    return float(found[1])


def decode_all(catalog: Catalog) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda path: read_image(path, 224), catalog.paths, chunksize=16):
            pass


def agreement(run: Run, output: Path) -> tuple[float, float]:
    """The lowest cosine to float32 by Keras over all images, and the change of mAP, test against train."""
    reference = RUNS / f"{run.directory.name}-float32"
    embed(run, reference, "keras")
    lowest, maps = 1.0, []
    for folder in (output, reference):
        gallery, queries = Embeddings.load(folder / "train"), Embeddings.load(folder / "test")
        maps.append(evaluate(Index.build(gallery), queries, n_bootstrap=0).metrics["map"])
    for split in ("train", "test"):
        ours, exact = (Embeddings.load(folder / split).vectors for folder in (output, reference))
        lowest = min(lowest, float(cosines(ours, exact).min()))
    return lowest, maps[0] - maps[1]


if __name__ == "__main__":
    main()
