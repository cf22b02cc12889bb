"""`OpenVINOEngine`: computes embeddings on CPUs with a converted model, without TensorFlow.

Each worker owns an inference request and a buffer of images. It decodes a batch into the buffer, then runs inference on
one stream, so that every core is either decoding or computing.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.read_image import BrokenImageError, read_image
from tfretrieval.data.threaded_map import map_in_threads
from tfretrieval.embedding.engine import Batch, Engine
from tfretrieval.embedding.openvino.model_dir import CONVERTED_MODEL, MODEL, read_header
from tfretrieval.errors import UserError
from tfretrieval.quiet import STDERR, silent

BATCH_SIZE = 4  # activations stay in the cache of a core
LATENCY_LIMIT = 8  # up to this number of images, all cores work on one image at a time
PRECISION_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


class OpenVINOEngine(Engine):
    """Computes embeddings with a converted model.

    Args:
        directory: directory written by `save_openvino_model` or `quantize`.
        precision: "float32", "bfloat16", or "int8" for a quantized model.

    Attributes:
        header: content of `engine.json`.
        directory: directory of the model.

    Raises:
        UserError: OpenVINO is not installed, the directory is damaged, or this CPU does not support bfloat16.
    """

    name = "openvino"

    def __init__(self, directory: Path, precision: str = "float32") -> None:
        if not is_installed():
            raise UserError("the engine openvino is not installed: pip install 'tfretrieval[openvino]'")
        self.header = read_header(directory)
        self.precision = precision
        self.image_size, self.dim = int(self.header["image_size"]), int(self.header["dim"])
        self.resize_mode = self.header["resize_mode"]
        self.directory = directory
        self._compiled = cache(self._compile)
        self._lock = threading.Lock()
        if precision == "bfloat16" and not has_bfloat16():
            raise UserError("this CPU does not support bfloat16; use --precision float32 or auto")

    def batches(self, paths: Sequence[str]) -> Iterator[Batch]:
        size, hint = (1, "LATENCY") if len(paths) <= LATENCY_LIMIT else (BATCH_SIZE, "THROUGHPUT")
        compiled = self._compiled(size, hint)
        n_workers = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        for _ in range(n_workers):
            requests.put(_Request(compiled, size, self.image_size, self.dim))

        def embed_batch(start: int) -> Batch:
            request = requests.get()
            try:
                return self._embed_batch(request, paths, range(start, min(start + size, len(paths))))
            finally:
                requests.put(request)

        yield from map_in_threads(embed_batch, range(0, len(paths), size), n_workers)

    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        with self._lock:
            request = _Request(self._compiled(1, "LATENCY"), 1, self.image_size, self.dim)
            vectors = np.empty((len(pixels), self.dim), np.float32)
            for index, image in enumerate(pixels):
                request.images[0] = image
                request.compute()
                vectors[index] = request.vectors[0]
        return vectors

    def _embed_batch(self, request: _Request, paths: Sequence[str], indices: range) -> Batch:
        decoded: list[int] = []
        for index in indices:
            try:
                request.images[len(decoded)] = read_image(paths[index], self.image_size, self.resize_mode)
            except BrokenImageError:
                continue
            decoded.append(index)
        if decoded:
            request.compute()
        return np.array(decoded, np.int64), request.vectors[: len(decoded)].copy()

    def _compile(self, batch_size: int, hint: str) -> Any:
        try:
            with silent(STDERR):  # OpenVINO also prints the message of its exception
                model = core().read_model(self.directory / MODEL)
            model.reshape([batch_size, self.image_size, self.image_size, 3])
            settings: dict[str, Any] = {
                "PERFORMANCE_HINT": hint,
                "INFERENCE_PRECISION_HINT": PRECISION_HINTS[self.precision],
            }
            if os.access(self.directory, os.W_OK):
                settings["CACHE_DIR"] = str(self.directory / "cache")
            return core().compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise CONVERTED_MODEL.corrupt(self.directory, str(error)[-160:]) from None  # the reason comes last


class _Request:
    """An inference request with its buffers: images uint8 [b, s, s, 3] and vectors float32 [b, d].

    The buffers are bound once: wrapping arrays in tensors from two threads at a time can deadlock in OpenVINO.
    """

    def __init__(self, compiled: Any, batch_size: int, image_size: int, dim: int) -> None:
        import openvino

        self.images = np.zeros((batch_size, image_size, image_size, 3), np.uint8)
        self.vectors = np.zeros((batch_size, dim), np.float32)
        self._request = compiled.create_infer_request()
        self._request.set_input_tensor(openvino.Tensor(self.images, shared_memory=True))
        self._request.set_output_tensor(openvino.Tensor(self.vectors, shared_memory=True))

    def compute(self) -> None:
        self._request.start_async()
        self._request.wait()


@cache
def core() -> Any:
    """The `openvino.Core` of this process.

    A Core installs an alternate signal stack in its thread and removes it when it is deleted. If two are deleted in the
    order of their creation, the thread keeps an invalid stack, and the next Ctrl-C causes a segmentation fault.
    """
    import openvino

    return openvino.Core()


def is_installed() -> bool:
    """Whether OpenVINO is installed, without importing it."""
    return find_spec("openvino") is not None


def has_bfloat16() -> bool:
    """Whether this CPU supports bfloat16 natively."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
