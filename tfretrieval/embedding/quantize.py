"""From a converted model to one that computes in int8, by post-training quantisation."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfretrieval.data.read_picture import BrokenPicture, read_picture
from tfretrieval.embedding.openvino_core import core
from tfretrieval.embedding.openvino_folder import MODEL, read_header, write_engine
from tfretrieval.errors import UserError


def quantize(source: Path, directory: Path, paths: Sequence[str], made_from: Mapping[str, Any]) -> None:
    """Quantise the model in the folder `source` into `directory`, calibrated on pictures.

    Args:
        source: a folder of `save_openvino_model`.
        directory: the new folder; an older one is replaced.
        paths: the pictures whose values set the ranges; a few hundred of the gallery.
        made_from: added to what `engine.json` of the source says.

    Raises:
        UserError: NNCF is not installed, or no picture can be decoded.
    """
    nncf = _nncf()
    header = read_header(source)
    pictures = []
    for path in paths:
        try:
            pictures.append(read_picture(path, header["image_size"], header["fit"])[None])
        except BrokenPicture:
            continue
    if not pictures:
        raise UserError("none of the pictures for calibration can be decoded")
    model = core().read_model(source / MODEL)
    dataset = nncf.Dataset(pictures)
    with contextlib.nullcontext() if sys.stderr.isatty() else contextlib.redirect_stdout(io.StringIO()):
        quantized = nncf.quantize(model, dataset, subset_size=len(pictures), fast_bias_correction=False)
    write_engine(quantized, directory, {**header, **made_from, "calibrated_on": len(pictures)})


def _nncf() -> Any:
    try:
        import nncf
    except ImportError:
        raise UserError("int8 needs NNCF; use pip install 'tfretrieval[int8]', or another --precision") from None
    logging.getLogger("nncf").setLevel(logging.ERROR)  # its own set_log_level changes the handlers of others
    return nncf
