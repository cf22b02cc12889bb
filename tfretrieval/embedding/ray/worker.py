"""Actors of the Ray engine, and the engine that is sent to them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfretrieval.data.remote import fetched
from tfretrieval.embedding.engine import Engine
from tfretrieval.embedding.openvino.engine import OpenVINOEngine
from tfretrieval.embedding.ray.parquet_shards import Shards, shard_name


@dataclass(frozen=True)
class EngineFiles:
    """An engine and the files of its model, to be sent to another machine.

    Attributes:
        name: "openvino" or "keras".
        precision: one of `PRECISIONS`.
        resize_mode: "crop", "pad" or "stretch".
        files: {name: content} of the model.
    """

    name: str
    precision: str
    resize_mode: str
    files: Mapping[str, bytes]

    @classmethod
    def of(cls, engine: Engine, directory: Path) -> EngineFiles:
        """The files of an engine.

        Args:
            engine: an OpenVINO or Keras engine.
            directory: directory of the converted model, or of `model.keras`.
        """
        names = ("engine.json", "model.xml", "model.bin") if engine.name == "openvino" else ("model.keras",)
        files = {name: (directory / name).read_bytes() for name in names}
        return cls(engine.name, engine.precision, engine.resize_mode, files)

    def load(self, directory: Path) -> Engine:
        """Write the files to a directory, and load the engine from it."""
        for name, content in self.files.items():
            (directory / name).write_bytes(content)
        if self.name == "openvino":
            return OpenVINOEngine(directory, self.precision)
        from tfretrieval.embedding.keras_engine import KerasEngine
        from tfretrieval.models.embedder import load_embedder

        return KerasEngine(load_embedder(directory / "model.keras"), self.resize_mode)


class Worker:
    """An actor that computes the embeddings of blocks of files with one engine.

    Args:
        engine_files: a list with the object reference of `EngineFiles`.
    """

    def __init__(self, engine_files: list[Any]) -> None:
        import ray

        self._directory = tempfile.TemporaryDirectory(prefix="tfretrieval-")
        self._engine = ray.get(engine_files[0]).load(Path(self._directory.name))

    def __call__(self, block: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Embed a block.

        Args:
            block: "row" int64 [b] and "path" str [b].

        Returns:
            "row" int64 [b], "vector" float32 [b, d], and "reason" str [b], "" for decodable images.
        """
        paths = [str(path) for path in block["path"]]
        vectors = np.zeros((len(paths), self._engine.dim), np.float32)
        reasons = np.full(len(paths), "", dtype=object)
        with fetched(paths) as (files, failures):
            decoded = np.zeros(len(paths), bool)
            for indices, batch in self._engine.batches(files):
                vectors[indices], decoded[indices] = batch, True
            for index in np.flatnonzero(~decoded):
                reasons[index] = failures.get(int(index)) or self._engine.broken_reason(files[index])
        return {"row": block["row"], "vector": vectors, "reason": reasons.astype(str)}


class ShardWriter(Worker):
    """An actor that writes its embeddings as a shard.

    Args:
        engine_files: see `Worker`.
        location: see `Shards`.
    """

    def __init__(self, engine_files: list[Any], location: str) -> None:
        super().__init__(engine_files)
        self._shards = Shards(location)

    def __call__(self, block: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Embed a block and write it as a shard.

        Args:
            block: "row" int64 [b], and "id", "path", "label" and "split", str [b] each.

        Returns:
            "row" int64 [b], and "reason" str [b], "" for decodable images.
        """
        result = super().__call__(block)
        decoded = result["reason"] == ""
        columns = {name: block[name][decoded].tolist() for name in ("id", "path", "split", "label")}
        columns["label"] = [label or None for label in columns["label"]]
        broken = {str(block["path"][index]): str(result["reason"][index]) for index in np.flatnonzero(~decoded)}
        name = shard_name(int(block["row"][0]))
        self._shards.write_shard(name, {**columns, "vector": result["vector"][decoded]}, broken)
        return {"row": result["row"], "reason": result["reason"]}
