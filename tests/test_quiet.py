"""Libraries that talk are not heard."""

from __future__ import annotations

import os
import sys

from tfretrieval.quiet import silent_stderr


def test_silence_ends_with_the_block(capfd):
    with silent_stderr():
        os.write(2, b"noise")
    print("heard", file=sys.stderr)
    assert capfd.readouterr().err == "heard\n"
