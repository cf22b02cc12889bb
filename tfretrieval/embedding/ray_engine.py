"""The engine for many machines: Ray Data, with another engine in each of its actors."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.broken import report_broken
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.remote import fetched
from tfretrieval.embedding.engine import Batch, Engine
from tfretrieval.embedding.openvino_engine import OpenVINOEngine
from tfretrieval.embedding.shards import Shards, part_name
from tfretrieval.errors import UserError
from tfretrieval.progress import progress
from tfretrieval.quiet import silent_stderr
from tfretrieval.reach import why_unreached

SECONDS_TO_ANSWER = 10.0
FILES_A_BLOCK = 512
FILES_A_SHARD = 4096


@dataclass(frozen=True)
class Shipped:
    """An engine as it travels to another machine.

    Attributes:
        name: "openvino" or "keras".
        precision: of `PRECISIONS`.
        fit: how a picture becomes a square.
        files: {relative name: content} of the model.
        home: where the files lie on the machine that they come from.
    """

    name: str
    precision: str
    fit: str
    files: Mapping[str, bytes]
    home: Path

    @classmethod
    def of(cls, engine: Engine, home: Path) -> Shipped:
        """An engine whose model lies in a folder: the converted model, or the run with its `model.keras`."""
        names = ("engine.json", "model.xml", "model.bin") if engine.name == "openvino" else ("model.keras",)
        files = {name: (home / name).read_bytes() for name in names}
        return cls(engine.name, engine.precision, engine.fit, files, home)

    def unpacked(self) -> Engine:
        """The engine, from the files where they came from if these are the same, else from copies of them."""
        home = self.home
        if not all(_holds(home / name, content) for name, content in self.files.items()):
            home = Path(tempfile.mkdtemp(prefix="tfretrieval-"))
            for name, content in self.files.items():
                (home / name).write_bytes(content)
        if self.name == "openvino":
            return OpenVINOEngine(home, self.precision)
        from tfretrieval.embedding.keras_engine import KerasEngine
        from tfretrieval.models.embedder import read_model

        return KerasEngine(read_model(home / "model.keras"), self.fit)


class Worker:
    """What an actor does: it holds one engine and embeds blocks of files."""

    def __init__(self, shipped: list[Any]) -> None:
        import ray

        self._engine = ray.get(shipped[0]).unpacked()

    def __call__(self, block: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """{"row": int64 [b], "path": str [b]} -> {"row", "vector": float32 [b, d], "reason": str [b]}, "" if whole."""
        paths = [str(path) for path in block["path"]]
        vectors = np.zeros((len(paths), self._engine.dim), np.float32)
        reasons = np.full(len(paths), "", dtype=object)
        with fetched(paths) as (files, failures):
            whole = np.zeros(len(paths), bool)
            for places, batch in self._engine.batches(files):
                vectors[places], whole[places] = batch, True
            for place in np.flatnonzero(~whole):
                reasons[place] = failures.get(int(place)) or self._engine.why_broken(files[place])
        return {"row": block["row"], "vector": vectors, "reason": reasons.astype(str)}


class ShardWriter(Worker):
    """An actor that writes what it embeds as parts of `Shards` and gives back only how that went."""

    def __init__(self, shipped: list[Any], where: str) -> None:
        super().__init__(shipped)
        self._shards = Shards(where)

    def __call__(self, block: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """{"row", "id", "path", "label", "split"}, each [b] -> {"row": int64 [b], "reason": str [b]}."""
        done = super().__call__(block)
        whole = done["reason"] == ""
        columns = {name: block[name][whole].tolist() for name in ("id", "path", "split", "label")}
        columns["label"] = [label or None for label in columns["label"]]
        broken = {str(block["path"][place]): str(done["reason"][place]) for place in np.flatnonzero(~whole)}
        name = part_name(int(block["row"][0]))
        self._shards.write_part(name, {**columns, "vector": done["vector"][whole]}, broken)
        return {"row": done["row"], "reason": done["reason"]}


class RayEngine(Engine):
    """Embeds on a Ray cluster, or on a Ray of this machine, what another engine would embed alone.

    One actor a node holds the model and uses all its cores. Blocks of files that fail with their actor are done again.
    Vectors come back in the order in which they are ready. Paths may be those of fsspec, such as s3://, gs:// or
    http://; what is only a path must be readable on every node.

    Args:
        engine: what each actor holds; its name and precision are this engine's.
        home: the folder of that engine's model.
        address: of a cluster, as `ray.init` takes it; None starts a Ray on this machine.

    Raises:
        UserError: Ray is not installed.
    """

    name = "ray"

    def __init__(self, engine: Engine, home: Path, address: str | None = None) -> None:
        _ray()
        self.name = engine.name  # type: ignore[misc]
        self.precision, self.image_size = engine.precision, engine.image_size
        self.dim, self.fit = engine.dim, engine.fit
        self._engine = engine
        self._home = home
        self._address = address
        self._reasons: dict[str, str] = {}

    def batches(self, paths: Sequence[str]) -> Iterator[Batch]:
        columns = {"row": np.arange(len(paths)), "path": np.array([str(path) for path in paths], dtype=object)}
        starts = range(0, len(paths), FILES_A_BLOCK)
        for batch in self._mapped(Worker, (), [_rows(columns, start, FILES_A_BLOCK) for start in starts]):
            whole = self._whole(batch, paths)
            yield batch["row"][whole], np.asarray(batch["vector"][whole], np.float32)

    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return self._engine.embed_pixels(pixels)

    def write_shards(
        self, catalog: Catalog, shards: Shards, on_error: str = "fail", made_from: Mapping[str, Any] | None = None
    ) -> int:
        """Let the actors write the vectors of a catalogue as shards; parts that are there already stay.

        No vector comes to this process.

        Args:
            catalog: n items with files.
            shards: where they go.
            on_error: what a file that cannot be decoded does, "fail" or "skip". The parts are written either way.
            made_from: see `Engine.embed`.

        Returns:
            how many vectors there are.

        Raises:
            UserError: the shards hold something else or cannot be written, a file cannot be decoded and `on_error` is
                "fail", or none can.
        """
        made_from = {"engine": self.name, "precision": self.precision, **(made_from or {})}
        there = shards.begin(self.dim, catalog.class_names, made_from)
        names = np.array([*catalog.class_names, ""], dtype=object)
        columns = {
            "row": np.arange(len(catalog)),
            "id": catalog.ids,
            "path": catalog.paths,
            "label": names[catalog.labels],
            "split": catalog.splits,
        }
        starts = range(0, len(catalog), FILES_A_SHARD)
        missing = [start for start in starts if part_name(start) not in there]
        with progress(None, "embed", total=len(catalog)) as bar:
            bar.update(len(catalog) - sum(min(FILES_A_SHARD, len(catalog) - start) for start in missing))
            blocks = [_rows(columns, start, FILES_A_SHARD) for start in missing]
            for batch in self._mapped(ShardWriter, (shards.where,), blocks):
                bar.update(len(batch["row"]))
        parts = [part_name(start) for start in starts]
        n, broken = shards.counted(parts)
        if broken:
            report_broken(broken, on_error, everything=not n)
        shards.finish(parts, n)
        return n

    def _mapped(self, worker: type, arguments: tuple[Any, ...], blocks: list[Any]) -> Iterator[dict[str, np.ndarray]]:
        """What the workers give for each block, in the order in which they are ready."""
        if not blocks:
            return
        with _connected(self._address) as ray, _one_line_errors(ray):
            cores = _cores_of_nodes(ray)
            shipped = ray.put(Shipped.of(self._engine, self._home))
            dataset = ray.data.from_arrow(blocks).map_batches(
                worker,
                fn_constructor_args=([shipped], *arguments),
                batch_size=None,
                num_cpus=min(cores),
                concurrency=(1, sum(count // min(cores) for count in cores)),
            )
            yield from dataset.iter_batches(batch_size=None)

    def _whole(self, batch: dict[str, np.ndarray], paths: Sequence[str] | np.ndarray) -> np.ndarray:
        """Which rows of a batch were decoded, bool [b]; why others were not is kept."""
        whole = batch["reason"] == ""
        for row, reason in zip(batch["row"][~whole], batch["reason"][~whole]):
            self._reasons[str(paths[row])] = str(reason)
        return whole

    def why_broken(self, path: str) -> str:
        return self._reasons.get(path, "no worker could read it")


def _rows(columns: Mapping[str, np.ndarray], start: int, count: int) -> Any:
    """Some rows of columns as an Arrow table."""
    import pyarrow as pa

    here = {name: column[start : start + count] for name, column in columns.items()}
    return pa.table({name: pa.array(c.tolist() if c.dtype == object else c) for name, c in here.items()})


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _ray() -> Any:
    for name, value in (
        ("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"),
        ("RAY_BACKEND_LOG_LEVEL", "fatal"),
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("RAY_DATA_DISABLE_PROGRESS_BARS", "1"),
    ):
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError:
        raise UserError("the engine ray is not installed; use pip install 'tfretrieval[ray]'") from None
    return ray


@contextlib.contextmanager
def _connected(address: str | None) -> Iterator[Any]:
    """Ray, connected; what was connected or started here ends with the block."""
    ray = _ray()
    if ray.is_initialized():
        yield ray
        return
    if address is not None:
        _knock(address)
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        options |= {"include_dashboard": False}
    try:
        with silent_stderr():
            ray.init(address=address, **options)
    except Exception as error:
        where = address or "this machine"
        raise UserError(f"cannot reach Ray at {where}: {' '.join(str(error).split())[:200]}") from None
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Refuse an address where nothing listens, for which Ray itself would wait many minutes."""
    place = address.rpartition("://")[2]
    if place.rpartition(":")[2].isdigit() and (reason := why_unreached(place, SECONDS_TO_ANSWER)):  # not of auto
        raise UserError(f"cannot reach Ray at {address}: {reason}")


@contextlib.contextmanager
def _one_line_errors(ray: Any) -> Iterator[None]:
    try:
        yield
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UserError(f"Ray: {lines[-1][:300] if lines else type(error).__name__}") from None


def _cores_of_nodes(ray: Any) -> list[int]:
    counts = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    if not any(counts):
        raise UserError("the Ray cluster has no CPUs")
    return [count for count in counts if count]
