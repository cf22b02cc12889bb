"""The one look that all plots share, and how a figure becomes a file.

Classes are told apart by color (Okabe and Ito's palette, safe for the color-blind, its yellow darkened so
that it shows on white) and by line style or marker as well, never by color alone.

A figure is kept as PNG and as SVG. The words of an SVG stay text: they can be searched, copied, read aloud and
translated, and the file is smaller than with outlines. Where DejaVu Sans is missing, Verdana, which is as wide, takes
its place, and what comes after that is narrower, so that no word grows into its neighbor.

Sizes are chosen so that a figure can be read at half its size.
"""

from __future__ import annotations

import contextlib
import os
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from matplotlib import font_manager, style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from tfretrieval.atomic import replaced_file

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PALETTE = (BLUE, VERMILLION, GREEN, "#CC79A7", "#56B4E9", ORANGE, "#000000", "#8F8A1E")
LINESTYLES = ("-", (0, (5, 1.6)), (0, (1.4, 1.4)), (0, (6, 1.6, 1.4, 1.6)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "p")
INK, MUTED, FAINT = "#1B1F24", "#5F6872", "#C9CED4"
RIGHT, WRONG = BLUE, VERMILLION
DPI = 150
SANS = ("DejaVu Sans", "Verdana", "Geneva", "sans-serif")

_FALLBACK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "Yu Gothic",
    "Microsoft YaHei",
    "Noto Sans Devanagari",
    "Noto Sans Arabic",
)


@dataclass(frozen=True)
class ClassStyle:
    """How one class is drawn; of the first 32 no two share color and line style, nor color and marker."""

    color: str
    linestyle: str | tuple[int, tuple[float, ...]]
    marker: str


def class_style(index: int) -> ClassStyle:
    """The style of class number `index` (0, 1, ...), the same in every plot.

    >>> class_style(0).color == class_style(8).color, class_style(0).linestyle == class_style(8).linestyle
    (True, False)
    """
    shift = index + index // len(PALETTE)
    return ClassStyle(
        color=PALETTE[index % len(PALETTE)],
        linestyle=LINESTYLES[shift % len(LINESTYLES)],
        marker=MARKERS[shift % len(MARKERS)],
    )


@contextlib.contextmanager
def look() -> Iterator[None]:
    """What matplotlib makes inside the block has this project's look; the user's settings return after."""
    settings = {
        "font.family": ["sans-serif", *_fonts()[1:]],
        "font.sans-serif": list(SANS),
        "svg.fonttype": "none",
        "svg.hashsalt": "tfretrieval",
        "font.size": 11.5,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 12.0,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.titlepad": 8.0,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": "#E6E9EC",
        "grid.linewidth": 0.8,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "legend.frameon": False,
        "legend.fontsize": 11.0,
        "legend.title_fontsize": 11.0,
        "lines.linewidth": 1.7,
        "hatch.linewidth": 0.8,
        "figure.titlesize": 13.0,
        "figure.titleweight": "bold",
    }
    with style.context(settings, after_reset=True):
        yield


def new_figure(width: float, height: float, title: str | None = None) -> Figure:
    """An empty figure of so many inches, with its heading at the top left."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    layout = figure.get_layout_engine()
    assert isinstance(layout, ConstrainedLayoutEngine)
    layout.set(w_pad=0.09, h_pad=0.07)
    if title:
        lines = textwrap.wrap(shown(title, 160), width=int(7.6 * width))
        figure.suptitle("\n".join(lines), x=0.09 / width, ha="left")
    return figure


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as PNG at 150 dots an inch, or as SVG where the name ends so, whole or not at all.

    The same figure gives the same bytes: neither file holds a date, and the names inside an SVG are hashes of what
    they name.

    Raises:
        UserError: the file cannot be written.
    """
    kind = "svg" if Path(path).suffix.lower() == ".svg" else "png"
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with replaced_file(path) as temporary, look():
        figure.savefig(temporary, format=kind, dpi=DPI, metadata=metadata)


def save_both(figure: Figure, png: Path) -> None:
    """Write a figure as PNG, and as SVG beside it under the same name.

    Raises:
        UserError: a file cannot be written.
    """
    for path in (png, png.with_suffix(".svg")):
        save_figure(figure, path)


def shown(text: str, longest: int = 32) -> str:
    r"""Text as matplotlib can draw it: one line, no formulas, not too long, a box for what no font has.

    >>> shown("a very long name", 10), shown("5$ or 6$"), shown("two\nlines")
    ('a very lo…', '5\\$ or 6\\$', 'two lines')
    """
    line = "".join(char if char.isprintable() else " " for char in text)
    if len(line) > longest:
        line = line[: longest - 1].rstrip() + "…"
    line = "".join(char if _drawable(char) else "□" for char in line)
    return line.replace("$", r"\$")


def bare(axes: Axes) -> None:
    """Take ticks, grid and frame from axes that hold an image or a map."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.grid(False)
    axes.spines[:].set_visible(False)


@cache
def _fonts() -> tuple[str, ...]:
    installed = set(font_manager.get_font_names())
    return ("DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed))


@cache
def _drawable(char: str) -> bool:
    if char.isascii():
        return True
    fonts = (font_manager.get_font(font_manager.findfont(name)) for name in _fonts())
    return any(font.get_char_index(ord(char)) for font in fonts)
