"""Images in a terminal: found out without harm, and written so that they can be read back to the pixel."""

from __future__ import annotations

import base64
import io
import os
import pty
import re
import select
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tfretrieval.cli.thumbnails import (
    BACKGROUND,
    CHUNK,
    GAP,
    SIDE,
    contact_strip,
    encode_iterm2,
    encode_kitty,
    protocol_of,
    show,
)
from tfretrieval.data.read_image import read_image

NOISE = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)


def pixels_of(png: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"))


def decode_kitty(text: str) -> tuple[list[dict[str, str]], str]:
    parts = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in parts) == text, "nothing between the chunks"
    keys = [dict(pair.split("=") for pair in part.split(",")) for part, _ in parts]
    assert all(len(data) <= CHUNK and len(data) % 4 == 0 for _, data in parts[:-1])
    return keys, "".join(data for _, data in parts)


def decode_iterm2(text: str) -> tuple[dict[str, str], str]:
    arguments, data = re.fullmatch(r"\x1b\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\x07", text).groups()
    return dict(pair.split("=") for pair in arguments.split(";")), data


def test_kitty_gets_the_pixels_in_chunks_and_is_asked_to_say_nothing():
    keys, data = decode_kitty(encode_kitty(NOISE))
    np.testing.assert_array_equal(pixels_of(data), NOISE)
    assert len(keys) > 2
    assert {name: keys[0][name] for name in "afq"} == {"a": "T", "f": "100", "q": "2"}
    assert [part["m"] for part in keys] == ["1"] * (len(keys) - 1) + ["0"]
    assert all(set(part) == {"m"} for part in keys[1:])


def test_a_small_image_is_one_chunk_for_kitty():
    keys, data = decode_kitty(encode_kitty(NOISE[:2, :2]))
    assert [part["m"] for part in keys] == ["0"]
    np.testing.assert_array_equal(pixels_of(data), NOISE[:2, :2])


def test_iterm2_gets_the_pixels_inline_with_the_size_of_the_file():
    arguments, data = decode_iterm2(encode_iterm2(NOISE))
    np.testing.assert_array_equal(pixels_of(data), NOISE)
    assert arguments["inline"] == "1"
    assert int(arguments["size"]) == len(base64.b64decode(data))


def test_a_strip_holds_the_images_in_order_and_a_gap_for_one_that_is_broken(scenes, tmp_path):
    (tmp_path / "broken.png").write_text("no image")
    paths = [*map(str, sorted((scenes / "train").rglob("*.png"))[:2]), str(tmp_path / "broken.png")]
    strip = contact_strip(paths, ["query", "1", "2"])

    def place(i):
        left = GAP + i * (SIDE + GAP)
        return strip[GAP : GAP + SIDE, left : left + SIDE]

    for i in range(2):
        np.testing.assert_array_equal(place(i), read_image(paths[i], SIDE, fit="pad"))
    assert (place(2) == BACKGROUND).all()
    assert (strip[GAP + SIDE + 3 :, : SIDE + GAP] != BACKGROUND).any(), "the name is written"


def test_a_narrow_terminal_gets_more_rows(scenes):
    paths = list(map(str, sorted((scenes / "train").rglob("*.png"))[:6]))
    assert len(show(paths, "iterm2", 200).splitlines()) == 1
    rows = show(paths, "iterm2", 45).splitlines()
    widths = [pixels_of(decode_iterm2(row)[1]).shape[1] for row in rows]
    assert widths == [GAP + 3 * (SIDE + GAP)] * 2


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "240200"}, "sixel"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, "none"),
        ({"TERM": "dumb"}, "none"),
        ({"TERM": "linux"}, "none"),
        ({}, "none"),
    ],
)
def test_a_terminal_that_is_known_by_its_variables_is_not_asked(environment, protocol):
    assert protocol_of(environment, lambda: pytest.fail("asked")) == protocol


@pytest.mark.parametrize(
    "environment",
    [
        {"TERM": "xterm-256color"},
        {"TERM": "xterm-256color", "TERM_PROGRAM": "vscode", "KITTY_WINDOW_ID": "1"},
        {"TERM": "xterm-256color", "KONSOLE_VERSION": "211200"},
        {"TERM": "footless"},
        {"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"},
        {"TERM": "screen", "TERM_PROGRAM": "iTerm.app"},
        {"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"},
    ],
)
@pytest.mark.parametrize(("says", "protocol"), [(True, "sixel"), (False, "none")])
def test_any_other_terminal_is_asked_and_so_is_one_behind_a_multiplexer(environment, says, protocol):
    assert protocol_of(environment, lambda: says) == protocol


ASK = """
import os, termios
terminal = os.open(os.ttyname(0), os.O_RDWR)
before = termios.tcgetattr(terminal)
from tfretrieval.cli.thumbnails import terminal_says_sixel
says = terminal_says_sixel(patience=1.0)
assert termios.tcgetattr(terminal) == before, "the terminal is not as it was"
os.write(2, b"yes" if says else b"no")
"""


def asked(answer: bytes | None) -> str:
    """What `terminal_says_sixel` says in a process whose terminal gives this answer."""
    master, slave = pty.openpty()
    try:
        child = subprocess.Popen(
            [sys.executable, "-c", ASK], stdin=slave, stdout=slave, stderr=subprocess.PIPE, start_new_session=True
        )
        written, end = b"", time.monotonic() + 60
        while b"\x1b[c" not in written and time.monotonic() < end and child.poll() is None:
            if select.select([master], [], [], 0.1)[0]:
                written += os.read(master, 100)
        assert written == b"\x1b[c"
        if answer is not None:
            os.write(master, answer)
        return child.communicate(timeout=60)[1].decode()
    finally:
        os.close(master)
        os.close(slave)


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
@pytest.mark.parametrize(
    ("answer", "says"),
    [(b"\x1b[?62;4;22c", "yes"), (b"typed\x1b[?4c", "yes"), (b"\x1b[?62;14;22c", "no"), (None, "no"), (b"4;c", "no")],
    ids=["sixel", "sixel, after something typed", "no sixel", "silent", "no answer to this"],
)
def test_the_terminal_is_asked_with_a_limit_and_left_as_it_was(answer, says):
    assert asked(answer) == says
