"""What is written is read back by a decoder of its own: the pixels are those that went in."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfretrieval.cli.sixel import encode_sixel

COMMAND = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|(\$)|(-)")


def decode_sixel(text: str) -> np.ndarray:
    """The image that a VT340 would draw; pixels that are not drawn are -1."""
    w, h, body = re.fullmatch(r'\x1bP0;1;0q"1;1;(\d+);(\d+)(.*)\x1b\\', text, flags=re.DOTALL).groups()
    pixels = np.full((int(h), int(w), 3), -1)
    palette, color, x, y, at = {}, None, 0, 0, 0
    while at < len(body):
        found = COMMAND.match(body, at)
        assert found, body[at : at + 20]
        at = found.end()
        number, red, green, blue, chosen, count, repeated, single, back, down = found.groups()
        if number:
            palette[int(number)] = [int(part) for part in (red, green, blue)]
        elif chosen:
            color = palette[int(chosen)]
        elif back:
            x = 0
        elif down:
            x, y = 0, y + 6
        else:
            bits, end = ord(repeated or single) - 63, x + int(count or 1)
            for row in range(6):
                if bits >> row & 1:
                    assert (pixels[y + row, x:end] == -1).all(), "no pixel is drawn twice"
                    pixels[y + row, x:end] = color
            x = end
    return pixels


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(1, 40), st.integers(0, 10**6), st.integers(1, 40))
def test_an_image_of_few_colors_comes_back_as_it_was(h, w, seed, n_colors):
    rng = np.random.default_rng(seed)
    colors = rng.integers(0, 101, (n_colors, 3))  # in hundredths, which Sixel keeps
    wanted = colors[rng.integers(0, n_colors, (h, w))]
    pixels = np.rint(wanted * 2.55).astype(np.uint8)
    np.testing.assert_allclose(decode_sixel(encode_sixel(pixels)), wanted, atol=1)


def test_a_photograph_comes_back_as_it_looks():
    x, y = np.meshgrid(np.linspace(0, 255, 90), np.linspace(0, 255, 50))
    pixels = np.stack([x, y, 255 - x], axis=2).astype(np.uint8)
    shown = decode_sixel(encode_sixel(pixels))
    assert shown.min() >= 0, "every pixel is drawn"
    assert np.abs(shown * 2.55 - pixels).mean() < 6


def test_repeats_are_counted():
    text = encode_sixel(np.full((6, 1000, 3), 80, np.uint8))
    assert "!1000~" in text
    assert len(text) < 60


@pytest.mark.parametrize("height", [5, 6, 7, 12, 13])
def test_a_last_band_that_is_not_full_draws_nothing_below_the_image(height):
    pixels = np.full((height, 3, 3), 255, np.uint8)
    assert (decode_sixel(encode_sixel(pixels)) == 100).all()
