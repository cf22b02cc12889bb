"""`RayEngine`: distributes another engine over many machines with Ray Data."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_image import report_broken_images
from tfretrieval.embedding.engine import Batch, Engine
from tfretrieval.embedding.ray.cluster import connected, cores_of_nodes, load_ray
from tfretrieval.embedding.ray.parquet_shards import Shards, shard_name
from tfretrieval.embedding.ray.worker import EngineFiles, ShardWriter, Worker
from tfretrieval.progress import progress

FILES_PER_BLOCK = 512
FILES_PER_SHARD = 4096


class RayEngine(Engine):
    """Computes the embeddings of another engine on a Ray cluster or a local Ray instance.

    Each node runs one actor, which holds the model and uses all cores. Blocks of a failed actor are retried; vectors
    arrive in any order. Paths may be fsspec URLs, such as s3://, gs:// or http://; other paths must be readable on
    every node.

    Args:
        engine: engine of the actors; this engine takes its name and precision.
        model_dir: directory of that engine's model.
        address: address of a cluster, as `ray.init` takes it; None starts Ray on this machine.

    Raises:
        UserError: Ray is not installed.
    """

    def __init__(self, engine: Engine, model_dir: Path, address: str | None = None) -> None:
        load_ray()
        self.name, self.precision, self.image_size = engine.name, engine.precision, engine.image_size
        self.dim, self.resize_mode = engine.dim, engine.resize_mode
        self._engine = engine
        self._model_dir = model_dir
        self._address = address
        self._reasons: dict[str, str] = {}

    def batches(self, paths: Sequence[str]) -> Iterator[Batch]:
        columns = {"row": np.arange(len(paths)), "path": [str(path) for path in paths]}
        for batch in self._map_blocks(Worker, (), list(_blocks(columns, FILES_PER_BLOCK).values())):
            decoded = batch["reason"] == ""
            for row, reason in zip(batch["row"][~decoded], batch["reason"][~decoded]):
                self._reasons[str(paths[row])] = str(reason)
            yield batch["row"][decoded], np.asarray(batch["vector"][decoded], np.float32)

    def broken_reason(self, path: str) -> str:
        return self._reasons.get(path, "no worker could read it")

    def embed_pixels(self, pixels: np.ndarray) -> np.ndarray:
        return self._engine.embed_pixels(pixels)

    def write_shards(
        self, catalog: Catalog, shards: Shards, on_error: str = "fail", provenance: Mapping[str, Any] | None = None
    ) -> int:
        """Let the actors write the vectors of a catalog as shards; existing shards are kept.

        Args:
            catalog: n items with files.
            shards: shards to write.
            on_error: mode for unreadable images: "fail" or "skip". Shards are written in either mode.
            provenance: see `Engine.embed`.

        Returns:
            Number of vectors.

        Raises:
            UserError: the shards hold other vectors or cannot be written, an image is unreadable and `on_error` is
                "fail", or all are.
        """
        provenance = {"engine": self.name, "precision": self.precision, **(provenance or {})}
        existing = shards.begin(self.dim, catalog.class_names, provenance)
        columns = {
            "row": np.arange(len(catalog)),
            "id": catalog.ids,
            "path": catalog.paths,
            "label": catalog.item_class_names(),
            "split": catalog.splits,
        }
        blocks_by_name = {shard_name(start): block for start, block in _blocks(columns, FILES_PER_SHARD).items()}
        blocks = [block for name, block in blocks_by_name.items() if name not in existing]
        with progress(None, "embed", total=len(catalog)) as bar:
            bar.update(len(catalog) - sum(len(block) for block in blocks))
            for batch in self._map_blocks(ShardWriter, (shards.location,), blocks):
                bar.update(len(batch["row"]))
        n, broken = shards.count(list(blocks_by_name))
        if broken:
            report_broken_images(broken, on_error, all_broken=not n)
        shards.finish(list(blocks_by_name), n)
        return n

    def _map_blocks(
        self, worker: type, arguments: tuple[Any, ...], blocks: list[Any]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Results of the workers for each block, in the order in which they finish."""
        if not blocks:
            return
        with connected(self._address) as ray:
            cores = cores_of_nodes(ray)
            engine_files = ray.put(EngineFiles.of(self._engine, self._model_dir))
            dataset = ray.data.from_arrow(blocks).map_batches(
                worker,
                fn_constructor_args=([engine_files], *arguments),
                batch_size=None,
                num_cpus=min(cores),
                concurrency=(1, sum(count // min(cores) for count in cores)),
            )
            yield from dataset.iter_batches(batch_size=None)


def _blocks(columns: Mapping[str, Any], size: int) -> dict[int, Any]:
    """Arrow tables of up to `size` rows each, by their first rows."""
    import pyarrow as pa

    table = pa.table(dict(columns))
    return {start: table.slice(start, size) for start in range(0, len(table), size)}
