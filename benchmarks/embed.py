"""`tfret embed`, from image files to vectors on disk, compared with OpenVINO's benchmark_app, Keras and PyTorch.

ResNet50 at 224 pixels is trained for one epoch first, so that its embeddings separate classes; the small backbone uses
the weights in `TFRET_WEIGHTS`. Images are those in `TFRET_MIT_SPLIT`. The timed runs find the converted model in place;
the time with conversion is a row of its own.
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
from timing import spread, time_interleaved

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_image import read_image
from tfretrieval.embedding.openvino.model_dir import MODEL
from tfretrieval.embedding.store import Embeddings
from tfretrieval.evaluation.evaluator import evaluate
from tfretrieval.retrieval.index import Index
from tfretrieval.runs import Run
from tfretrieval.vectors import paired_cosines

RUNS = HERE / ".runs"
TFRET = Path(sys.executable).with_name("tfret")
TORCH = ("torch==2.13.0", "numpy")
IN_MEMORY, BATCH = 128, 32
OPENVINO_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="number of rounds")
    parser.add_argument("--quick", action="store_true", help="one round, small backbone, no PyTorch, nothing saved")
    options = parser.parse_args()
    inputs = images_and_weights()
    if inputs is None:
        return
    data, weights = inputs
    repeats = 1 if options.quick else options.repeats
    small = trained_run("mobilenet_v2_0.35", data, "0", str(weights))
    rows, agreement = measure("mobilenet_v2_0.35", small, data, repeats, with_torch=False)
    if not options.quick:
        large = trained_run("resnet50", data, "1", "none")
        more_rows, more_agreement = measure("resnet50", large, data, repeats, with_torch=True)
        rows, agreement = rows + more_rows, f"{agreement} {more_agreement}"
    notes = (
        f"{len(Catalog.from_source(data)):,} photographs of 256 pixels, resized to 224. `tfret embed` is the whole "
        f"process, from files to vectors on disk. The other implementations compute on {IN_MEMORY} images in memory "
        f'in batches of {BATCH}, without decoding. "Decoding, then OpenVINO" adds the time to decode on all '
        f"cores with Pillow and the time of benchmark_app. {repeats} rounds. {agreement}"
    )
    publish("embed", "Embedding images", rows, notes, save=not options.quick)


def images_and_weights() -> tuple[Path, Path] | None:
    """The photographs and the weights of the small backbone; None, with a message, if they are missing."""
    shared = HERE.parent.parent / "shared"
    data = Path(os.environ.get("TFRET_MIT_SPLIT") or shared / "data" / "MIT_split")
    weights = Path(os.environ.get("TFRET_WEIGHTS") or shared / "weights" / "mobilenet_v2_0.35_224_imagenet_notop.h5")
    if data.is_dir() and weights.is_file():
        return data, weights
    print(f"skipped: no photographs at {data} (TFRET_MIT_SPLIT), or no weights at {weights} (TFRET_WEIGHTS)")
    return None


def trained_run(backbone: str, data: Path, epochs: str, weights: str) -> Run:
    """The run of a backbone, trained on first use."""
    run = Run(RUNS / backbone)
    if not run.model_path.is_file():
        shutil.rmtree(run.directory, ignore_errors=True)
        settings = ["--backbone", backbone, "--weights", weights, "--epochs", epochs, "--data", str(data)]
        subprocess.run([str(TFRET), "train", "resnet", *settings, "--run", str(run.directory)], check=True)
    return run


def measure(backbone: str, run: Run, data: Path, repeats: int, with_torch: bool) -> tuple[list[dict[str, Any]], str]:
    """The rows of a backbone, and how well its vectors agree with float32."""
    catalog = Catalog.from_source(data)
    n, output = len(catalog), RUNS / f"{backbone}-vectors"
    shutil.rmtree(run.engine("openvino"), ignore_errors=True)
    started = time.perf_counter()
    embed(run, output)
    first_seconds = time.perf_counter() - started
    precision = Embeddings.load(output / "train").provenance["precision"]
    keras_predict = Peer("keras_predict.py", str(run.model_path), str(IN_MEMORY), str(BATCH))
    sides: dict[str, Any] = {
        "tfret embed": lambda: embed(run, output),
        "OpenVINO benchmark_app": lambda: n / benchmark_app_rate(run, precision),
        "decoding only": lambda: decode_all(catalog),
        "Keras predict": lambda: keras_predict.seconds("predict") * n / IN_MEMORY,
    }
    peers = [keras_predict]
    if with_torch:
        peers.append(Peer("torch_resnet50.py", str(IN_MEMORY), str(BATCH), requirements=TORCH))
        for name in ("eager", "compile", "compile bfloat16"):
            sides[f"PyTorch {name}"] = lambda name=name: peers[-1].seconds(name) * n / IN_MEMORY
    seconds = time_interleaved(sides, repeats)
    for peer in peers:
        peer.close()
    seconds["decoding, then OpenVINO"] = [
        a + b for a, b in zip(seconds["OpenVINO benchmark_app"], seconds["decoding only"])
    ]
    ours, model = seconds["tfret embed"], f"{backbone}, {precision}"
    rows = [
        row(model, side, spread([n / s for s in values], 1), spread([a / b for a, b in zip(values, ours)], 2))
        for side, values in seconds.items()
    ]
    with_conversion = f"{first_seconds / statistics.median(ours):.2f}"
    rows.append(row(model, "tfret embed with conversion", f"{n / first_seconds:.1f}", with_conversion))
    lowest, change = agreement_with_keras(run, output)
    return rows, (
        f"Agreement of {model}, with Keras in float32: lowest cosine similarity {lowest:.6f}, change of mAP "
        f"{change:+.5f}."
    )


def row(model: str, implementation: str, rate: str, speedup: str) -> dict[str, str]:
    return {"model": model, "implementation": implementation, "images/s": rate, "speedup of tfret embed": speedup}


def embed(run: Run, output: Path, engine: str = "openvino") -> None:
    shutil.rmtree(output, ignore_errors=True)
    command = [str(TFRET), "embed", "--run", str(run.directory), "--engine", engine, "--output", str(output)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def benchmark_app_rate(run: Run, precision: str) -> float:
    """Images per second of OpenVINO's benchmark_app on the converted model, one image per inference."""
    tool = Path(sys.executable).with_name("benchmark_app")
    command = [
        str(tool), "-m", str(run.engine("openvino") / MODEL), "-d", "CPU", "-hint", "throughput", "-t", "10",
        "-shape", "[1,224,224,3]", "-infer_precision", OPENVINO_PRECISIONS[precision],
    ]  # fmt: skip
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    throughput = re.search(r"Throughput:\s+([\d.]+) FPS", output)
    if not throughput:
        raise RuntimeError(output[-500:])
    return float(throughput[1])


def decode_all(catalog: Catalog) -> None:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda path: read_image(path, 224), catalog.paths, chunksize=16):
            pass


def agreement_with_keras(run: Run, output: Path) -> tuple[float, float]:
    """The lowest cosine similarity to Keras float32 vectors, and the change of mAP, test against train."""
    reference = RUNS / f"{run.directory.name}-float32"
    embed(run, reference, "keras")
    lowest, maps = 1.0, []
    for directory in (output, reference):
        gallery, queries = Embeddings.load(directory / "train"), Embeddings.load(directory / "test")
        maps.append(evaluate(Index.build(gallery), queries, n_bootstrap=0).metrics["map"])
    for split in ("train", "test"):
        vectors, expected = (Embeddings.load(directory / split).vectors for directory in (output, reference))
        lowest = min(lowest, float(paired_cosines(vectors, expected).min()))
    return lowest, maps[0] - maps[1]


if __name__ == "__main__":
    main()
