import re
import subprocess
import sys
import warnings

import pytest
from matplotlib import rcParams

from tfretrieval.errors import UserError
from tfretrieval.visualize.theme import class_style, display_text, new_figure, save_both, save_figure, themed


def figure_titled(title):
    with themed():
        figure = new_figure(3, 2, title)
        figure.subplots().plot([0, 1], [0, 1])
    return figure


def test_the_first_32_class_styles_are_distinct():
    styles = [class_style(i) for i in range(32)]
    assert len({(s.color, s.linestyle) for s in styles}) == 32
    assert len({(s.color, s.marker) for s in styles}) == 32


def test_consecutive_class_styles_differ_in_every_property():
    for one, next_one in zip(map(class_style, range(31)), map(class_style, range(1, 32))):
        assert one.color != next_one.color
        assert one.linestyle != next_one.linestyle
        assert one.marker != next_one.marker


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_saved_files_are_reproducible(tmp_path, kind):
    for name, title in (("a", "one"), ("b", "one"), ("c", "other")):
        save_figure(figure_titled(title), tmp_path / f"{name}.{kind}")
    a, b, c = ((tmp_path / f"{name}.{kind}").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_an_svg_is_reproducible_across_processes(tmp_path):
    code = (
        "import sys; from tfretrieval.visualize.theme import themed, new_figure, save_figure\n"
        "with themed():\n"
        "    figure = new_figure(3, 2, 'one'); figure.subplots().plot([0, 1], [0, 1], marker='o')\n"
        "save_figure(figure, sys.argv[1])"
    )
    for name in "ab":
        subprocess.run([sys.executable, "-c", code, str(tmp_path / f"{name}.svg")], check=True)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_svg_text_stays_text_and_there_is_no_date(tmp_path):
    save_both(figure_titled(display_text("Größe 5$")), tmp_path / "a.png")
    svg = (tmp_path / "a.svg").read_text("utf-8")
    (heading,) = re.findall(r"<text[^>]*>Größe 5", svg)
    assert re.search(r"DejaVu Sans.*Verdana.*sans-serif", heading)
    assert "<dc:date>" not in svg
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_user_settings_are_ignored_and_restored(tmp_path, monkeypatch):
    save_figure(figure_titled("one"), tmp_path / "a.png")
    monkeypatch.setitem(rcParams, "font.size", 30.0)
    save_figure(figure_titled("one"), tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert rcParams["font.size"] == 30.0


def test_a_png_has_150_dpi_and_no_date(tmp_path):
    save_figure(figure_titled("x"), tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    assert (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")) == (450, 300)
    assert b"tEXt" not in data
    assert b"tIME" not in data


def test_saving_over_a_directory_raises(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        save_figure(figure_titled("x"), tmp_path / "file" / "a.png")


@pytest.mark.parametrize(
    "name",
    ["漢字 קטן", "5$ and 6$", "\U0001f600 smile", "_hidden", "two\nlines", "a^{b", "\x00", "%s \\frac"],
)
def test_any_text_is_drawn_without_warning(name, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_both(figure_titled(display_text(name)), tmp_path / "a.png")


def test_characters_without_a_glyph_become_a_box():
    assert display_text("a\U00012000b é") == "a□b é"


def test_pyplot_and_tensorflow_are_not_imported():
    code = (
        "import sys\n"
        "from tfretrieval.visualize import comparison, confusion, history, neighbors\n"
        "from tfretrieval.visualize import pr_curves, projection, scatter, theme\n"
        "import tfretrieval.report.page\n"
        "theme.new_figure(2, 2, 'x')\n"
        "print([m for m in ('matplotlib.pyplot', 'tensorflow', 'umap') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
