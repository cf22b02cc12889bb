"""The directory of a converted model: `model.xml` and `model.bin` of OpenVINO, and `engine.json`."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tfretrieval.artifacts import ArtifactType, file_fingerprint

CONVERTED_MODEL = ArtifactType(
    "converted model", "engine.json", 4, "delete the directory; the model is converted again"
)
MODEL = "model.xml"
WEIGHTS = "model.bin"
REQUIRED = {"model", "image_size", "dim", "resize_mode"}


def write_converted_model(model: Any, directory: Path, header: Mapping[str, Any]) -> None:
    """Write an OpenVINO model and its header atomically.

    Args:
        model: an `openvino.Model` that takes uint8 [b, s, s, 3].
        directory: directory to write; an existing one is replaced.
        header: at least the fingerprint of the Keras model as "model", "image_size", "dim" and "resize_mode".

    Raises:
        UserError: the directory cannot be written.
    """
    import openvino

    with CONVERTED_MODEL.replaced(directory) as temporary:
        openvino.save_model(model, temporary / MODEL, compress_to_fp16=False)
        added = {"openvino": openvino.__version__, "files": _fingerprints(temporary)}
        CONVERTED_MODEL.write_header(temporary, {**header, **added})


def read_header(directory: Path) -> dict[str, Any]:
    """Read and verify `engine.json`.

    Raises:
        MissingArtifact: it is missing.
        CorruptArtifact: it is damaged or of another format, or the files of the model have changed.
    """
    header = CONVERTED_MODEL.read_header(directory)
    with CONVERTED_MODEL.reading(directory):
        if missing := REQUIRED - header.keys():
            raise ValueError(f"{CONVERTED_MODEL.header} has no {min(missing)}")
        if header["files"] != _fingerprints(directory):
            raise ValueError("the files of the model have changed")
        return header


def update_header(directory: Path, **added: Any) -> None:
    """Add entries to `engine.json`."""
    CONVERTED_MODEL.write_header(directory, {**read_header(directory), **added})


def _fingerprints(directory: Path) -> dict[str, str]:
    """Hash of each file of the model."""
    stats = {file: file.stat() for file in (directory / MODEL, directory / WEIGHTS)}
    return {file.name: _fingerprint(file, stat.st_size, stat.st_mtime_ns) for file, stat in stats.items()}


@lru_cache(maxsize=8)
def _fingerprint(file: Path, size: int, modified_ns: int) -> str:
    return file_fingerprint(file)
