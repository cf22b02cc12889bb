"""From a converted model to one that computes in int8, by post-training quantization."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfretrieval.data.read_image import BrokenImageError, read_image
from tfretrieval.embedding.openvino.core import core
from tfretrieval.embedding.openvino.model_dir import MODEL, read_header, write_engine
from tfretrieval.errors import UserError


def quantize(source: Path, directory: Path, paths: Sequence[str], made_from: Mapping[str, Any]) -> None:
    """Quantize the model in the folder `source` into `directory`, calibrated on images.

    Args:
        source: a folder of `save_openvino_model`.
        directory: the new folder; an older one is replaced.
        paths: the images whose values set the ranges; a few hundred of the gallery.
        made_from: added to what `engine.json` of the source says.

    Raises:
        UserError: NNCF is not installed, or no image can be decoded.
    """
    nncf = _nncf()
    header = read_header(source)
    images = []
    for path in paths:
        try:
            images.append(read_image(path, header["image_size"], header["fit"])[None])
        except BrokenImageError:
            continue
    if not images:
        raise UserError("none of the images for calibration can be decoded")
    model = core().read_model(source / MODEL)
    dataset = nncf.Dataset(images)
    with contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stdout(io.StringIO()):
        quantized = nncf.quantize(model, dataset, subset_size=len(images), fast_bias_correction=False)
    write_engine(quantized, directory, {**header, **made_from, "calibrated_on": len(images)})


def _nncf() -> Any:
    try:
        import nncf
    except ImportError:
        raise UserError("int8 needs NNCF; use pip install 'tfretrieval[int8]', or another --precision") from None
    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own set_log_level changes the handlers of others
    return nncf
