"""OpenVINO's `Core`, one for the process."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def core() -> Any:
    """The `openvino.Core` that everything here uses; it lives as long as the process.

    A Core gives its thread a stack for signals and takes it away again when it goes. Where two of them go in the order
    in which they came, the thread is left with a stack that is none, and the next Ctrl-C is a segmentation fault.
    """
    import openvino

    return openvino.Core()
