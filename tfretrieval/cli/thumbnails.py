"""Images in a terminal: which way a terminal shows them, and what to write for it.

* `kitty`: the graphics protocol of Kitty, which Ghostty knows too (https://sw.kovidgoyal.net/kitty/graphics-protocol).
* `iterm2`: the inline images of iTerm2, WezTerm, mintty and Rio (https://iterm2.com/documentation-images.html).
* `sixel`: foot, mlterm, Contour, Konsole, and every terminal that says so when it is asked for its attributes.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
import select
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tfretrieval.cli.sixel import encode_sixel
from tfretrieval.data.read_image import BrokenImageError, read_image

SIDE, GAP, LINE = 96, 8, 16
ROWS = 7  # of text, for a row of images
COLUMNS = 13  # of text, for an image with its gap
CHUNK = 4096
PATIENCE = 0.2
KONSOLE_WITH_SIXEL = 220400
BACKGROUND, INK = (32, 36, 40), (235, 238, 240)

BY_PROGRAM = {
    "ghostty": "kitty", "iTerm.app": "iterm2", "WezTerm": "iterm2", "mintty": "iterm2", "rio": "iterm2",
    "Apple_Terminal": "none",
}  # fmt: skip
BY_TERM = {"xterm-kitty": "kitty", "xterm-ghostty": "kitty", "foot": "sixel", "mlterm": "sixel", "contour": "sixel"}
WITHOUT = ("", "dumb", "linux")
MULTIPLEXERS = ("screen", "tmux")


def protocol_of(environment: Mapping[str, str], says_sixel: Callable[[], bool]) -> str:
    """How the terminal shows images: "kitty", "iterm2", "sixel" or "none".

    Args:
        environment: variables, such as `os.environ`.
        says_sixel: asks the terminal whether it knows Sixel; called where the variables leave that open. Inside tmux
            and screen they are those of a terminal that cannot be reached, so that it alone counts.
    """
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if term in WITHOUT:
        return "none"
    if "TMUX" not in environment and not term.startswith(MULTIPLEXERS):
        if program in BY_PROGRAM:
            return BY_PROGRAM[program]
        for name, protocol in BY_TERM.items():
            if term == name or term.startswith(f"{name}-"):
                return protocol
        if environment.get("LC_TERMINAL") == "iTerm2":
            return "iterm2"
        if "KITTY_WINDOW_ID" in environment and not program:
            return "kitty"
        konsole = environment.get("KONSOLE_VERSION", "")
        if konsole.isdigit() and int(konsole) >= KONSOLE_WITH_SIXEL:
            return "sixel"
    return "sixel" if says_sixel() else "none"


def terminal_says_sixel(patience: float = PATIENCE) -> bool:
    """Ask the terminal for its attributes (DA1): whether 4, Sixel, is among them.

    The terminal is set back as it was. One that does not answer in so many seconds, or that belongs to another process
    in the foreground, says no.
    """
    try:
        import termios
        import tty

        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except (ImportError, OSError):
        return False
    try:
        if os.tcgetpgrp(terminal) != os.getpgrp():
            return False
        before = termios.tcgetattr(terminal)
        reply = None
        try:
            tty.setcbreak(terminal, termios.TCSANOW)
            os.write(terminal, b"\x1b[c")
            reply = _reply(terminal, patience)
        finally:  # what comes too late must not be taken for something that was typed
            termios.tcsetattr(terminal, termios.TCSADRAIN if reply else termios.TCSAFLUSH, before)
        return reply is not None and "4" in reply[1].decode().split(";")
    except OSError:
        return False
    finally:
        os.close(terminal)


def _reply(terminal: int, patience: float) -> re.Match[bytes] | None:
    read, end = b"", time.monotonic() + patience
    while (left := end - time.monotonic()) > 0 and select.select([terminal], [], [], left)[0]:
        read += os.read(terminal, 256)
        if found := re.search(rb"\x1b\[\?([\d;]*)c", read):
            return found
    return None


def show(paths: Sequence[str], protocol: str, columns: int) -> str:
    """What to write to a terminal of so many columns so that it shows a query and its neighbors, in rows that fit."""
    a_row = max(2, columns // COLUMNS)
    names = ["query", *(str(rank) for rank in range(1, len(paths)))]
    strips = (
        contact_strip(paths[start : start + a_row], names[start : start + a_row])
        for start in range(0, len(paths), a_row)
    )
    return "\n".join(ENCODERS[protocol](strip) for strip in strips)


def contact_strip(paths: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Images side by side with a name below each, uint8 [h, w, 3]; the place of one that cannot be read is empty."""
    strip = Image.new("RGB", (len(paths) * (SIDE + GAP) + GAP, SIDE + 2 * GAP + LINE), BACKGROUND)
    pen, font = ImageDraw.Draw(strip), ImageFont.load_default()
    for place, (path, name) in enumerate(zip(paths, names)):
        left = GAP + place * (SIDE + GAP)
        with contextlib.suppress(BrokenImageError):
            strip.paste(Image.fromarray(read_image(path, SIDE, fit="pad")), (left, GAP))
        middle = left + (SIDE - pen.textlength(name, font)) / 2
        pen.text((middle, GAP + SIDE + 3), name, fill=INK, font=font)
    return np.asarray(strip)


def encode_kitty(pixels: np.ndarray) -> str:
    """An image, uint8 [h, w, 3], as PNG in chunks of 4,096 characters, over 7 rows of text; no reply is asked for."""
    text = _png(pixels)
    chunks = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    return "".join(
        f"\x1b_G{f'a=T,f=100,q=2,r={ROWS},' if i == 0 else ''}m={int(i < len(chunks) - 1)};{chunk}\x1b\\"
        for i, chunk in enumerate(chunks)
    )


def encode_iterm2(pixels: np.ndarray) -> str:
    """An image, uint8 [h, w, 3], as PNG in one sequence, over 7 rows of text."""
    text = _png(pixels)
    size = len(base64.b64decode(text))
    return f"\x1b]1337;File=inline=1;size={size};height={ROWS};preserveAspectRatio=1:{text}\x07"


def _png(pixels: np.ndarray) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return base64.b64encode(file.getvalue()).decode("ascii")


ENCODERS: Mapping[str, Callable[[np.ndarray], str]] = {
    "kitty": encode_kitty,
    "iterm2": encode_iterm2,
    "sixel": encode_sixel,
}
