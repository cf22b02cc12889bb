"""Quantize a converted model to int8 by post-training quantization."""

import contextlib
import io
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfretrieval.data.read_image import read_decodable
from tfretrieval.embedding.openvino.engine import core
from tfretrieval.embedding.openvino.model_dir import MODEL, read_header, write_converted_model
from tfretrieval.errors import UserError, require


def quantize(source: Path, directory: Path, paths: Sequence[str]) -> None:
    """Quantize a converted model, calibrated on images.

    Args:
        source: directory of `save_openvino_model`.
        directory: directory to write; an existing one is replaced.
        paths: calibration images; a few hundred of the gallery. Unreadable ones are ignored.

    Raises:
        UserError: NNCF is not installed, or no image is readable.
    """
    nncf = _nncf()
    header = read_header(source)
    images = read_decodable(paths, header["image_size"], header["resize_mode"])
    if not len(images):
        raise UserError("no calibration image is readable")
    model = core().read_model(source / MODEL)
    dataset = nncf.Dataset(images[:, None])
    with contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stdout(io.StringIO()):
        quantized = nncf.quantize(model, dataset, subset_size=len(images), fast_bias_correction=False)
    write_converted_model(quantized, directory, {**header, "calibrated_on": len(images)})


def _nncf() -> Any:
    nncf = require("nncf", "int8")
    logging.getLogger("nncf").setLevel(logging.ERROR)  # nncf.set_log_level would change handlers of other loggers
    return nncf
