"""The folder of a converted model: `model.xml` and `model.bin`, as OpenVINO writes them, and `engine.json`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tfretrieval.artifacts import file_fingerprint
from tfretrieval.atomic import read_json, replaced_directory, write_json
from tfretrieval.errors import UserError

FORMAT = 2
HEADER = "engine.json"
MODEL = "model.xml"
WEIGHTS = "model.bin"
NEEDED = {"model", "image_size", "dim", "fit", "files"}


def write_engine(model: Any, directory: Path, header: Mapping[str, Any]) -> None:
    """Write an OpenVINO model and its header, all or none.

    Args:
        model: an `openvino.Model` that takes uint8 [b, s, s, 3].
        directory: the folder; an older one is replaced.
        header: at least the fingerprint of the Keras model as "model", and image_size, dim and fit.

    Raises:
        UserError: the folder cannot be written.
    """
    import openvino

    with replaced_directory(directory, HEADER) as temporary:
        openvino.save_model(model, temporary / MODEL, compress_to_fp16=False)
        described = {**header, "format": FORMAT, "openvino": openvino.__version__, "files": _fingerprints(temporary)}
        write_json(temporary / HEADER, described)


def read_header(directory: Path) -> dict[str, Any]:
    """What `engine.json` holds.

    Raises:
        UserError: there is none, it is damaged, it was written by another version, or the model's files are not those
            that it describes.
    """
    header = read_json(directory / HEADER)
    if header.get("format") != FORMAT or NEEDED - header.keys():
        raise UserError(f"{directory / HEADER} is not of format {FORMAT} or damaged; delete {directory}")
    if header["files"] != _fingerprints(directory):
        raise UserError(f"the engine in {directory} is damaged (its files are not what they were); delete it")
    return header


def update_header(directory: Path, **added: Any) -> None:
    """Add to what `engine.json` holds."""
    write_json(directory / HEADER, {**read_header(directory), **added})


def _fingerprints(directory: Path) -> dict[str, str]:
    """A hash of each of the model's files; "" for one that is missing."""
    found = {}
    for name in (MODEL, WEIGHTS):
        file = directory / name
        there = file.is_file()
        found[name] = _fingerprint(file, file.stat().st_size, file.stat().st_mtime_ns) if there else ""
    return found


@lru_cache(maxsize=8)
def _fingerprint(file: Path, size: int, changed: int) -> str:
    return file_fingerprint(file)
