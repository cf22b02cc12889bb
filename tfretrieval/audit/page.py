"""The audit page: issues and duplicates, with their images side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfretrieval.audit.image_issues import IMAGE_ISSUES
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_image import BrokenImageError, read_thumbnail
from tfretrieval.report.content import Case, Report, ReportImage, Section, Table
from tfretrieval.report.image import pixels_uri
from tfretrieval.report.page import write_report
from tfretrieval.report.tables import data_table
from tfretrieval.runs import Run, versions

SIDE = 192  # longer side of an image in pixels
MAX_CASE_IMAGES = 6
MAX_BYTES = {"label_issues": 5_000_000, "leaks": 2_000_000, "duplicates": 1_000_000, "image_issues": 1_000_000}
MAX_ROWS = 200
LISTS_ALL = "--json lists all"


def write_audit_page(path: Path, catalog: Catalog, result: dict[str, Any], run: Run | None = None) -> None:
    """Write the result of `audit` as one HTML file of less than 10 MB.

    A section whose images would take more than its share shows the first ones and says so.

    Raises:
        UserError: the file cannot be written.
    """
    report = Report(
        title=f"Audit of {catalog.source or 'a data set'}",
        summary=_summary(result),
        facts=[(name, value) for name, value in _facts(result).items() if value is not None],
        table=data_table(catalog),
        sections=list(_sections(result, _Images(catalog))),
        provenance=[
            ("Model", "none" if run is None else f"{run.directory} ({run.model_fingerprint()})"),
            ("Data", f"{catalog.source} ({result['n']} images, fingerprint {catalog.fingerprint})"),
            *versions().items(),
        ],
    )
    write_report(path, report)


class _Images:
    """Thumbnails of the items of a catalog, by id."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._row_of = {name: row for row, name in enumerate(catalog.ids)}

    def label(self, name: str) -> str:
        return self._catalog.class_of(self._row_of[name]) or "class unknown"

    def split(self, name: str) -> str:
        return str(self._catalog.splits[self._row_of[name]])

    def read(self, name: str, label: str, note: str = "") -> list[ReportImage]:
        """Return the image of an item; an empty list if it cannot be read."""
        try:
            pixels = read_thumbnail(str(self._catalog.paths[self._row_of[name]]), SIDE)
        except BrokenImageError:
            return []
        return [ReportImage(pixels, label, note, name=f"{name}, labeled {self.label(name)}")]

    def read_first(self, ids: Sequence[str], label: Callable[[str], str]) -> list[ReportImage]:
        return [image for name in ids[:MAX_CASE_IMAGES] for image in self.read(name, label(name), name)]


def _summary(result: dict[str, Any]) -> str:
    if result["label_issues"] is None:
        return "Files and pixels were checked. Checking labels needs the model of a run: --run DIR."
    return (
        "Files, pixels and embeddings were checked. A label issue is a candidate: compare the image with its neighbors "
        "before you change the label."
    )


def _facts(result: dict[str, Any]) -> dict[str, Any]:
    return {
        "Images": result["n"],
        "Classes": len(result["classes"]),
        "Label issues": result["n_label_issues"],
        "Duplicates": len(result["duplicates"]),
        "Near duplicates": len(result["near_duplicates"]),
        "Leaks between splits": len(result["leaks"]),
        "Broken files": len(result["broken"]),
        "Image issues": len({name for names in result["image_issues"].values() for name in names}),
    }


def _sections(result: dict[str, Any], images: _Images) -> Iterator[Section]:
    if issues := result["label_issues"]:
        prose = (
            f"{result['n_label_issues']:,} images fit another class better than their own, highest score first (at "
            "most 1). Beside each image: the most similar images of the suggested class."
        )
        cases = _that_fit("label_issues", (_label_case(issue, images) for issue in issues))
        hint = "--json lists more" if len(cases) < len(issues) else "--label-issues N lists more"
        yield Section("Label issues", prose + _shown(len(cases), result["n_label_issues"], hint), cases=cases)
    groups = [("Duplicate", group) for group in result["duplicates"]]
    groups += [(f"Near duplicate, similarity {group['similarity']:.2f}", group) for group in result["near_duplicates"]]
    for key, heading, prose in (
        ("leaks", "Leaks between splits", "Duplicates and near duplicates in two splits. They make metrics too high."),
        ("duplicates", "Duplicates within a split", "Equal files and near duplicates."),
    ):
        if members := [(kind, group) for kind, group in groups if group["splits_differ"] == (key == "leaks")]:
            cases = _that_fit(key, (_duplicate_case(kind, group, images) for kind, group in members))
            yield Section(heading, prose + _shown(len(cases), len(members), LISTS_ALL), cases=cases)
    if found := result["image_issues"]:
        cases = _that_fit("image_issues", (_image_case(key, ids, images) for key, ids in found.items()))
        prose = "Decodable images with unusual properties." + _shown(len(cases), len(found), LISTS_ALL)
        yield Section("Image issues", prose, cases=cases)
    if broken := result["broken"]:
        rows = list(broken.items())[:MAX_ROWS]
        prose = "Files that cannot be decoded." + _shown(len(rows), len(broken), LISTS_ALL)
        yield Section("Broken files", prose, tables=[Table(["File", "Reason"], rows)])
    if notes := result["notes"]:
        yield Section("Notes", tables=[Table(["Note"], [[note] for note in notes])])


def _label_case(issue: dict[str, Any], images: _Images) -> Case:
    neighbor_labels = ", ".join(f"{count} {name}" for name, count in issue["neighbor_labels"].items())
    query = images.read(issue["id"], f"Labeled {issue['label']}", issue["split"])
    examples = [
        image
        for other in issue["neighbors"]
        for image in images.read(other["id"], other["label"], f"cosine {other['cosine']:.3f}, {other['id']}")
    ]
    note = (
        f"Label {issue['label']}, suggested {issue['suggested_label']}, score {issue['score']:.2f}. "
        f"Nearest neighbors: {neighbor_labels}."
    )
    return Case(issue["id"], note, [*query, *examples], highlight_first=bool(query))


def _duplicate_case(kind: str, group: dict[str, Any], images: _Images) -> Case:
    ids = group["ids"]
    differ = [name for name, key in (("classes", "labels_differ"), ("splits", "splits_differ")) if group[key]]
    note = kind + "".join(f", in different {name}" for name in differ)
    if len(ids) > MAX_CASE_IMAGES:
        note += f"; {MAX_CASE_IMAGES} of {len(ids)} images shown"
    heading = " and ".join(ids[:2]) + (f" and {len(ids) - 2} more" if len(ids) > 2 else "")
    return Case(heading, note, images.read_first(ids, lambda name: f"{images.label(name)}, {images.split(name)}"))


def _image_case(key: str, ids: Sequence[str], images: _Images) -> Case:
    more = f"; {MAX_CASE_IMAGES} shown" if len(ids) > MAX_CASE_IMAGES else ""
    note = f"{len(ids):,} image{'' if len(ids) == 1 else 's'}: {IMAGE_ISSUES[key]}{more}"
    return Case(key.replace("_", " "), note, images.read_first(ids, images.label))


def _that_fit(key: str, cases: Iterable[Case]) -> list[Case]:
    """Return the first cases whose images fit into the bytes of a section."""
    chosen, left = [], MAX_BYTES[key]
    for case in cases:
        left -= sum(len(pixels_uri(image.pixels)) + 1000 for image in case.images)
        if left < 0:
            break
        chosen.append(case)
    return chosen


def _shown(n_shown: int, n: int, hint: str) -> str:
    return "" if n_shown >= n else f" {n_shown:,} of {n:,} shown; {hint}."
