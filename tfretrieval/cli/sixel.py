"""Images as Sixel, the graphics of DEC's VT340 terminals.

An image is drawn in bands of six rows. Of a band every color is drawn on its own: a character a column, of which each
of the six low bits is a pixel, with repeats counted. Source: DEC, VT330/VT340 Programmer Reference Manual, volume 2,
chapter 14.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np
from PIL import Image

MOST_COLORS = 256
BAND = 6
EMPTY = 63  # the character of six pixels that are not drawn
WORTH_COUNTING = 4


def encode_sixel(pixels: np.ndarray) -> str:
    r"""The escape sequence that draws an image where the cursor is.

    Colors are brought down to 256 and to steps of a hundredth.

    Args:
        pixels: uint8 [h, w, 3], RGB.

    >>> encode_sixel(np.zeros((1, 5, 3), np.uint8))
    '\x1bP0;1;0q"1;1;5;1#0;2;0;0;0#0!5@-\x1b\\'
    """
    h, w = pixels.shape[:2]
    reduced = Image.fromarray(pixels).quantize(MOST_COLORS, dither=Image.Dither.NONE)
    numbers = np.asarray(reduced)
    palette = np.rint(np.array(reduced.getpalette(), float).reshape(-1, 3) / 2.55).astype(int)
    colors = "".join("#{};2;{};{};{}".format(number, *palette[number]) for number in np.unique(numbers))
    bands = "".join(_band(numbers[top : top + BAND]) for top in range(0, h, BAND))
    return f'\x1bP0;1;0q"1;1;{w};{h}{colors}{bands}\x1b\\'


def _band(numbers: np.ndarray) -> str:
    """One band, [at most 6, w] numbers of colors: color by color from the start of the line, then the next line."""
    weights = 1 << np.arange(len(numbers))
    drawn = [f"#{number}{''.join(_counted(weights @ (numbers == number)))}" for number in np.unique(numbers)]
    return "$".join(drawn) + "-"


def _counted(bits: np.ndarray) -> Iterator[str]:
    """The characters of a line of bits, int [w], without empty ones at its end."""
    last = int(np.flatnonzero(bits)[-1]) + 1
    for value, run in groupby(bits[:last].tolist()):
        count, char = sum(1 for _ in run), chr(EMPTY + value)
        yield char * count if count < WORTH_COUNTING else f"!{count}{char}"
