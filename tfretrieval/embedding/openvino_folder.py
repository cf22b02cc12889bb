"""The folder of a converted model: `model.xml` and `model.bin`, as OpenVINO writes them, and `engine.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfretrieval.atomic import read_json, replaced_directory, write_json
from tfretrieval.errors import UserError

FORMAT = 1
HEADER = "engine.json"
MODEL = "model.xml"
NEEDED = {"model", "image_size", "dim", "fit"}


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
        write_json(temporary / HEADER, {"format": FORMAT, "openvino": openvino.__version__, **header})


def read_header(directory: Path) -> dict[str, Any]:
    """What `engine.json` holds.

    Raises:
        UserError: there is none, it is damaged, or it was written by another version.
    """
    header = read_json(directory / HEADER)
    if not isinstance(header, dict) or header.get("format") != FORMAT or NEEDED - header.keys():
        raise UserError(f"{directory / HEADER} is not of format {FORMAT} or damaged; delete {directory}")
    return header


def update_header(directory: Path, **added: Any) -> None:
    """Add to what `engine.json` holds."""
    write_json(directory / HEADER, {**read_header(directory), **added})
