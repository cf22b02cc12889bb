"""What runs in the actors of a Ray: an engine that has travelled there, and blocks of files."""

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
from tfretrieval.embedding.ray.parquet_shards import Shards, part_name


@dataclass(frozen=True)
class Shipped:
    """An engine as it travels to another machine.

    Attributes:
        name: "openvino" or "keras".
        precision: of `PRECISIONS`.
        fit: how an image becomes a square.
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


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False
