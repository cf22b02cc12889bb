"""The page of an audit: what was found, as images side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tfretrieval.audit.image_issues import ODDITIES
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_image import BrokenImageError, read_thumbnail
from tfretrieval.report import Case, Report, ReportImage, Section, Table, write_report
from tfretrieval.report.image import pixels_uri
from tfretrieval.runs import Run, versions

SIDE = 192  # pixels of an image's longer side: sharp on a dense screen, 4 to 8 kB
GROUP = 6  # images that are shown of a group
ODD = 6  # images that are shown of a kind
ROOM = {"suspects": 5_000_000, "groups": 3_000_000, "odd": 1_000_000}  # bytes of images
LISTED = 200  # lines of a table


def write_audit_page(path: Path, catalog: Catalog, found: dict[str, Any], run: Run | None = None) -> None:
    """Write what `audit` found as one HTML file of less than 10 MB.

    Where the images of a part would take more than its room, the first are shown, and the page says so.

    Raises:
        UserError: the file cannot be written.
    """
    shown = _Images(catalog)
    report = Report(
        title=f"Audit of {catalog.source or 'a data set'}",
        summary=_summary(found),
        facts=[
            ("Images", found["n"]),
            ("Classes", len(found["classes"])),
            ("Doubtful labels", found["n_suspects"]),
            ("Same file", len(found["duplicates"])),
            ("Near duplicates", len(found["near_duplicates"])),
            ("Leaks between splits", len(found["leaks"])),
            ("Broken", len(found["broken"])),
            ("Odd", len({name for names in found["odd"].values() for name in names})),
        ],
        table=_classes(found),
        sections=[section for section in _sections(found, shown) if section.cases or section.tables or section.prose],
        provenance=[
            ("Model", "none" if run is None else f"{run.directory} ({run.model_fingerprint()})"),
            ("Data", f"{catalog.source} ({found['n']} images, fingerprint {catalog.fingerprint})"),
            *versions().items(),
        ],
    )
    write_report(path, report)


class _Images:
    """Small images of the items of a catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._row_of = {str(name): row for row, name in enumerate(catalog.ids)}
        self._catalog = catalog

    def label(self, name: str) -> str:
        """The class of an item."""
        label = self._catalog.labels[self._row_of[name]]
        return self._catalog.class_names[label] if label >= 0 else "class unknown"

    def split(self, name: str) -> str:
        return str(self._catalog.splits[self._row_of[name]])

    def of(self, name: str, label: str, note: str = "") -> Iterator[ReportImage]:
        """The image of an item; none where it cannot be read."""
        path = str(self._catalog.paths[self._row_of[name]])
        try:
            pixels = read_thumbnail(path, SIDE)
        except BrokenImageError:
            return
        yield ReportImage(pixels, label, note, name=f"{name}, labelled {self.label(name)}")


def _summary(found: dict[str, Any]) -> str:
    if found["suspects"] is None:
        return "Files and pixels were compared. Labels were not judged, which needs the model of a run: --run DIR."
    return (
        "Files, pixels and embeddings were compared. A doubtful label may be right: look at the images, and at "
        "what is like them, before you change it."
    )


def _classes(found: dict[str, Any]) -> Table:
    splits = list(dict.fromkeys(split for counts in found["classes"].values() for split in counts))
    return Table(
        ["Class", *splits],
        [[name, *(counts.get(split, 0) for split in splits)] for name, counts in found["classes"].items()],
        caption="Images of each class",
    )


def _sections(found: dict[str, Any], shown: _Images) -> Iterator[Section]:
    if found["suspects"] is not None:
        cases, cut = _fitting((_suspect(each, shown) for each in found["suspects"]), ROOM["suspects"])
        yield Section(
            "Doubtful labels",
            f"{found['n_suspects']:,} images look more like another class than like their own. The most doubtful "
            "come first; the score is 1 where the other class is certain. Beside each are the images of the other "
            "class that are most like it." + _left_out(len(cases), found["n_suspects"], cut),
            cases=cases,
        )
    groups = [("Same file", each) for each in found["duplicates"]]
    groups += [(f"Likeness {each['likeness']:.2f}", each) for each in found["near_duplicates"]]
    room = ROOM["groups"]
    for heading, prose, wanted in (
        (
            "Leaks between splits",
            "The same image in two splits: what is found for it says nothing about new images.",
            True,
        ),
        ("More than once in a split", "The same image again, as the same file or nearly so.", False),
    ):
        its = [(title, each) for title, each in groups if each["splits_differ"] == wanted]
        cases, cut = _fitting((_group(title, each, shown) for title, each in its), room)
        room -= sum(map(_size, cases))
        if its:
            yield Section(heading, prose + _left_out(len(cases), len(its), cut), cases=cases)
    if found["odd"]:
        cases = _fitting((_odd(key, names, shown) for key, names in found["odd"].items()), ROOM["odd"])[0]
        yield Section("Odd images", "They can be read. Look whether they belong here.", cases=cases)
    if broken := found["broken"]:
        rows = list(broken.items())[:LISTED]
        prose = "They cannot be decoded." + _left_out(len(rows), len(broken), len(rows) < len(broken))
        yield Section("Broken files", prose, tables=[Table(["File", "Reason"], rows)])
    if found["notes"]:
        yield Section("Notes", tables=[Table(["Note"], [[note] for note in found["notes"]])])


def _suspect(each: dict[str, Any], shown: _Images) -> Case:
    votes = ", ".join(f"{count} {name}" for name, count in each["votes"].items())
    images = [*shown.of(each["id"], f"Labelled {each['label']}", each["split"])]
    asked = bool(images)
    for other in each["neighbors"]:
        images += shown.of(other["id"], other["label"], f"cosine {other['cosine']:.3f}, {other['id']}")
    return Case(
        each["id"],
        f"Labelled {each['label']}, looks like {each['suggested']}: score {each['score']:.2f}. "
        f"Its nearest neighbors: {votes}.",
        images,
        asked,
    )


def _group(title: str, each: dict[str, Any], shown: _Images) -> Case:
    names = each["ids"]
    differ = [what for what, key in (("classes", "labels_differ"), ("splits", "splits_differ")) if each[key]]
    note = title + "".join(f", in different {what}" for what in differ)
    if len(names) > GROUP:
        note += f"; {GROUP} of {len(names)} are shown"
    images: list[ReportImage] = []
    for name in names[:GROUP]:
        images += shown.of(name, f"{shown.label(name)}, {shown.split(name)}", name)
    return Case(" and ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else ""), note, images)


def _odd(key: str, names: list[str], shown: _Images) -> Case:
    images: list[ReportImage] = []
    for name in names[:ODD]:
        images += shown.of(name, shown.label(name), name)
    more = f" {ODD} are shown." if len(names) > ODD else ""
    return Case(key, f"{len(names):,} {'image' if len(names) == 1 else 'images'} {ODDITIES[key]}.{more}", images)


def _fitting(cases: Iterable[Case], room: int) -> tuple[list[Case], bool]:
    """The first cases that fit into so many bytes, and whether there were more."""
    fitting: list[Case] = []
    for case in cases:
        room -= _size(case)
        if room < 0:
            return fitting, True
        fitting.append(case)
    return fitting, False


def _size(case: Case) -> int:
    return sum(len(pixels_uri(image.pixels)) + 1000 for image in case.images)


def _left_out(shown: int, n: int, cut: bool) -> str:
    if shown >= n:
        return ""
    return f" {shown:,} of {n:,} are shown; " + ("--json lists more." if cut else "--suspects N shows more.")
