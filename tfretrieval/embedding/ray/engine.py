"""The engine for many machines: Ray Data, with another engine in each of its actors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.broken import report_broken
from tfretrieval.data.catalog import Catalog
from tfretrieval.embedding.engine import Batch, Engine
from tfretrieval.embedding.ray.cluster import connected, cores_of_nodes, load_ray
from tfretrieval.embedding.ray.parquet_shards import Shards, part_name
from tfretrieval.embedding.ray.worker import ShardWriter, Shipped, Worker
from tfretrieval.progress import progress

FILES_A_BLOCK = 512
FILES_A_SHARD = 4096


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
        load_ray()
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
        """Let the actors write the vectors of a catalog as shards; parts that are there already stay.

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
        with connected(self._address) as ray:
            cores = cores_of_nodes(ray)
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
