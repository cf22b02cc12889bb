"""Shared style of all plots, and saving of figures.

Classes differ in color (Okabe and Ito's palette, safe for color-blind readers, with a darker yellow) and also in line
style or marker.

Figures are saved as PNG and SVG. Text in an SVG stays text, so it can be searched and copied. If DejaVu Sans is missing
where the SVG is viewed, Verdana, which is as wide, is used; fonts after it are narrower, so text never overlaps.

Font sizes allow for showing a figure at half its size.
"""

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
CORRECT, WRONG = BLUE, VERMILLION
DPI = 150
STYLE = Path(__file__).parent / "tfretrieval.mplstyle"
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
    """Style of a class; the first 32 differ in color and line style, and in color and marker."""

    color: str
    linestyle: str | tuple[int, tuple[float, ...]]
    marker: str


def class_style(index: int) -> ClassStyle:
    """Return the style of class number `index` (0, 1, ...).

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
def themed() -> Iterator[None]:
    """Apply this project's matplotlib settings inside the block."""
    fonts = {"font.family": ["sans-serif", *_fonts()[1:]], "font.sans-serif": list(SANS)}
    with style.context([STYLE, fonts], after_reset=True):
        yield


def new_figure(width: float, height: float, title: str | None = None) -> Figure:
    """Return an empty figure, sizes in inches, with a title at the top left."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    layout = figure.get_layout_engine()
    assert isinstance(layout, ConstrainedLayoutEngine)
    layout.set(w_pad=0.09, h_pad=0.07)
    if title:
        lines = textwrap.wrap(display_text(title, 160), width=int(7.6 * width))
        figure.suptitle("\n".join(lines), x=0.09 / width, ha="left")
    return figure


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Save a figure atomically as PNG at 150 dpi, or as SVG if the name ends in .svg.

    Files are reproducible: they hold no date, and ids in an SVG are hashes.

    Raises:
        UserError: the file cannot be written.
    """
    kind = "svg" if Path(path).suffix.lower() == ".svg" else "png"
    metadata = {"Software": None} if kind == "png" else {"Date": None, "Creator": None}
    with replaced_file(path) as temporary, themed():
        figure.savefig(temporary, format=kind, dpi=DPI, metadata=metadata)


def save_both(figure: Figure, png: Path) -> None:
    """Save a figure as PNG, and as SVG beside it.

    Raises:
        UserError: a file cannot be written.
    """
    for path in (png, png.with_suffix(".svg")):
        save_figure(figure, path)


def display_text(text: str, max_length: int = 32) -> str:
    r"""Return text that matplotlib can draw: one truncated line, no math, a box for characters that no font has.

    >>> display_text("a very long name", 10), display_text("5$ or 6$"), display_text("two\nlines")
    ('a very lo…', '5\\$ or 6\\$', 'two lines')
    """
    line = "".join(char if char.isprintable() else " " for char in text)
    if len(line) > max_length:
        line = line[: max_length - 1].rstrip() + "…"
    line = "".join(char if _drawable(char) else "□" for char in line)
    return line.replace("$", r"\$")


def hide_axes(axes: Axes) -> None:
    """Hide ticks, grid and frame."""
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
