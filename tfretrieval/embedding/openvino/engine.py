"""The engine for CPUs: OpenVINO, on a model that was converted once. It needs no TensorFlow.

Every worker owns an inference request and a buffer of images. It reads and decodes a batch into the buffer, then
computes on one stream, so that each core is either decoding or computing and none waits for another.
"""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.read_image import BrokenImageError, read_image
from tfretrieval.embedding.engine import Batch, Engine
from tfretrieval.embedding.openvino.core import core
from tfretrieval.embedding.openvino.model_dir import MODEL, read_header
from tfretrieval.errors import UserError
from tfretrieval.quiet import silent_stderr

BATCH = 4  # small enough that a layer's values stay in the cache of a core
FEW = 8  # up to so many images every core works on the same one
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


class OpenVINOEngine(Engine):
    """Turns images into vectors with a converted model.

    Args:
        directory: where `save_openvino_model` or `quantize` put it.
        precision: "float32", "bfloat16", or "int8" for a quantized model.

    Attributes:
        header: what `engine.json` holds.
        directory: where the model lies.

    Raises:
        UserError: OpenVINO is not installed, the folder is damaged, or this CPU has no bfloat16.
    """

    name = "openvino"

    def __init__(self, directory: Path, precision: str = "float32") -> None:
        if not is_installed():
            raise UserError("the engine openvino is not installed; use pip install 'tfretrieval[openvino]'")
        self.header = read_header(directory)
        self.precision = precision
        self.image_size, self.dim = int(self.header["image_size"]), int(self.header["dim"])
        self.fit = self.header["fit"]
        self.directory = directory
        self._compiled_for: dict[tuple[int, str], Any] = {}
        self._single: _Request | None = None
        self._lock = threading.Lock()
        if precision == "bfloat16" and not has_bfloat16():
            raise UserError("this CPU does not compute in bfloat16; use --precision float32 or auto")

    def batches(self, paths: Sequence[str]) -> Iterator[Batch]:
        few = len(paths) <= FEW
        size = 1 if few else BATCH
        compiled = self._compiled(size, "LATENCY" if few else "THROUGHPUT")
        n_workers = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        free: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        for _ in range(n_workers):
            free.put(_Request(compiled, size, self.image_size, self.dim))

        def work(start: int) -> Batch:
            request = free.get()
            try:
                return self._one_batch(request, paths, range(start, min(start + size, len(paths))))
            finally:
                free.put(request)

        yield from _in_window(work, range(0, len(paths), size), n_workers)

    def why_broken(self, path: str) -> str:
        try:
            read_image(path, self.image_size, self.fit)
        except BrokenImageError as reason:
            return str(reason)
        return "it could not be decoded the first time"

    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        with self._lock:
            if self._single is None:
                self._single = _Request(self._compiled(1, "LATENCY"), 1, self.image_size, self.dim)
            vectors = np.empty((len(pixels), self.dim), np.float32)
            for place, image in enumerate(pixels):
                self._single.images[0] = image
                self._single.compute()
                vectors[place] = self._single.vectors[0]
        return vectors

    def _one_batch(self, request: _Request, paths: Sequence[str], places: range) -> Batch:
        whole: list[int] = []
        for place in places:
            try:
                request.images[len(whole)] = read_image(paths[place], self.image_size, self.fit)
            except BrokenImageError:
                continue
            whole.append(place)
        if whole:
            request.compute()
        return np.array(whole, np.int64), request.vectors[: len(whole)].copy()

    def _compiled(self, batch: int, hint: str) -> Any:
        """The model for batches of a size, compiled once."""
        if (batch, hint) not in self._compiled_for:
            self._compiled_for[batch, hint] = self._compile(batch, hint)
        return self._compiled_for[batch, hint]

    def _compile(self, batch: int, hint: str) -> Any:
        try:
            with silent_stderr():  # OpenVINO prints what its exception says
                model = core().read_model(self.directory / MODEL)
            model.reshape([batch, self.image_size, self.image_size, 3])
            settings: dict[str, Any] = {
                "PERFORMANCE_HINT": hint,
                "INFERENCE_PRECISION_HINT": HINTS[self.precision],
            }
            if os.access(self.directory, os.W_OK):
                settings["CACHE_DIR"] = str(self.directory / "cache")
            return core().compile_model(model, "CPU", settings)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-160:]
            raise UserError(f"the engine in {self.directory} is damaged ({reason}); delete the folder") from None


class _Request:
    """An inference request with its buffers: images uint8 [b, s, s, 3] in, vectors float32 [b, d] out.

    The buffers are bound once: OpenVINO's wrapping of arrays can block for ever where two threads do it at a time.
    """

    def __init__(self, compiled: Any, batch: int, size: int, dim: int) -> None:
        import openvino

        self.images = np.zeros((batch, size, size, 3), np.uint8)
        self.vectors = np.zeros((batch, dim), np.float32)
        self._request = compiled.create_infer_request()
        self._request.set_input_tensor(openvino.Tensor(self.images, shared_memory=True))
        self._request.set_output_tensor(openvino.Tensor(self.vectors, shared_memory=True))

    def compute(self) -> None:
        self._request.start_async()
        self._request.wait()


def is_installed() -> bool:
    """Whether OpenVINO can be used, found out without importing it."""
    try:
        metadata.version("openvino")
    except metadata.PackageNotFoundError:
        return False
    return True


def has_bfloat16() -> bool:
    """Whether this CPU computes in bfloat16 natively."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _in_window(work: Any, starts: Sequence[int], n_workers: int) -> Iterator[Batch]:
    """The results of `work` on each start, in order; a few more are under way than there are workers, never all."""
    with ThreadPoolExecutor(n_workers, thread_name_prefix="embed") as pool:
        under_way: deque[Future[Batch]] = deque()
        try:
            for start in starts:
                under_way.append(pool.submit(work, start))
                if len(under_way) > 4 * n_workers:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
