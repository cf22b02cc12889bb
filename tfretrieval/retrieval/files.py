"""A fitted retriever on disk: the index in a file of its kind, and `retriever.json`, which describes it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from tfretrieval.atomic import read_json, replaced_file, write_json
from tfretrieval.errors import UserError
from tfretrieval.retrieval.sampled import sampled_fingerprint
from tfretrieval.runs import file_fingerprint

if TYPE_CHECKING:
    from tfretrieval.retrieval.base import Retriever

    Kind = TypeVar("Kind", bound=Retriever)

FORMAT = 1
HEADER = "retriever.json"


def save(retriever: Retriever, directory: str | os.PathLike[str]) -> None:
    """As `Retriever.save`, of one that is fitted."""
    data = Path(directory) / retriever.data_file
    with replaced_file(data) as temporary:
        retriever._write(temporary)
    header = {
        "format": FORMAT,
        "kind": retriever.kind,
        "params": retriever.get_params(),
        "n": retriever.n_items_,
        "dim": retriever.n_features_in_,
        "data": file_fingerprint(data),
        "sampled": sampled_fingerprint(data),
        "more": {
            name: sampled_fingerprint(data.with_name(name))
            for name in retriever.more_files
            if data.with_name(name).exists()
        },
    }
    write_json(Path(directory) / HEADER, header)


def load(kind: type[Kind], directory: str | os.PathLike[str], mmap: bool) -> Kind:
    """As `Retriever.load`."""
    directory = Path(directory)
    header = read_json(directory / HEADER, "rebuild it with `tfret index`")
    if header.get("format") != FORMAT:
        raise UserError(f"{directory / HEADER} is not of format {FORMAT}; rebuild it with `tfret index`")
    if header.get("kind") != kind.kind:
        raise UserError(f"{directory} holds a retriever of kind {header.get('kind')}, not {kind.kind}")
    try:
        data = directory / kind.data_file
        if mmap and "sampled" in header:
            is_right = sampled_fingerprint(data) == header["sampled"]
        else:
            is_right = file_fingerprint(data) == header["data"]
        if not is_right:
            raise ValueError(f"{kind.data_file} is not the one that {HEADER} describes")
        for name, expected in header.get("more", {}).items():
            if sampled_fingerprint(directory / name) != expected:
                raise ValueError(f"{name} is not the one that {HEADER} describes")
        retriever = kind(**header["params"])
        retriever.n_items_, retriever.n_features_in_ = header["n"], header["dim"]
        retriever._read(data, mmap)
        retriever.mapped_ = mmap or bool(header.get("more"))
    except (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"the index in {directory} is damaged ({reason}); rebuild it with `tfret index`") from None
    return retriever
