"""The audit page: issues and duplicates, with their images side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfretrieval.audit.image_issues import IMAGE_ISSUES
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_image import BrokenImageError, read_thumbnail
from tfretrieval.report import Case, Report, ReportImage, Section, Table, write_report
from tfretrieval.report.image import pixels_uri
from tfretrieval.runs import Run, versions

SIDE = 192  # longer side of an image in pixels
MAX_GROUP_IMAGES = 6
MAX_ISSUE_IMAGES = 6
MAX_BYTES = {"label_issues": 5_000_000, "duplicates": 3_000_000, "image_issues": 1_000_000}  # of images
MAX_ROWS = 200


def write_audit_page(path: Path, catalog: Catalog, result: dict[str, Any], run: Run | None = None) -> None:
    """Write the result of `audit` as one HTML file of less than 10 MB.

    A section whose images would take more than its share shows the first ones and says so.

    Raises:
        UserError: the file cannot be written.
    """
    images = _Images(catalog)
    sections = [
        *_label_section(result, images),
        *_duplicate_sections(result, images),
        *_image_section(result, images),
        *_broken_section(result),
        *_notes_section(result),
    ]
    report = Report(
        title=f"Audit of {catalog.source or 'a data set'}",
        summary=_summary(result),
        facts=[(name, value) for name, value in _facts(result).items() if value is not None],
        table=_class_table(result),
        sections=sections,
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
        self._row_of = {str(name): row for row, name in enumerate(catalog.ids)}
        self._catalog = catalog

    def label(self, name: str) -> str:
        label = self._catalog.labels[self._row_of[name]]
        return self._catalog.class_names[label] if label >= 0 else "class unknown"

    def split(self, name: str) -> str:
        return str(self._catalog.splits[self._row_of[name]])

    def read(self, name: str, label: str, note: str = "") -> list[ReportImage]:
        """Return the image of an item; an empty list if it cannot be read."""
        try:
            pixels = read_thumbnail(str(self._catalog.paths[self._row_of[name]]), SIDE)
        except BrokenImageError:
            return []
        return [ReportImage(pixels, label, note, name=f"{name}, labelled {self.label(name)}")]


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


def _class_table(result: dict[str, Any]) -> Table:
    splits = list(dict.fromkeys(split for counts in result["classes"].values() for split in counts))
    return Table(
        ["Class", *splits],
        [[name, *(counts.get(split, 0) for split in splits)] for name, counts in result["classes"].items()],
        caption="Images per class and split",
    )


def _label_section(result: dict[str, Any], images: _Images) -> Iterator[Section]:
    if not result["label_issues"]:
        return
    cases = _take(MAX_BYTES["label_issues"], (_label_case(issue, images) for issue in result["label_issues"]))
    hint = "--json lists more" if len(cases) < len(result["label_issues"]) else "--label-issues N lists more"
    yield Section(
        "Label issues",
        f"{result['n_label_issues']:,} images fit another class better than their own, highest score first (at most "
        "1). Beside each image: the most similar images of the suggested class."
        + _shown(len(cases), result["n_label_issues"], hint),
        cases=cases,
    )


def _label_case(issue: dict[str, Any], images: _Images) -> Case:
    neighbor_labels = ", ".join(f"{count} {name}" for name, count in issue["neighbor_labels"].items())
    query = images.read(issue["id"], f"Labelled {issue['label']}", issue["split"])
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


def _duplicate_sections(result: dict[str, Any], images: _Images) -> Iterator[Section]:
    groups = [("Duplicate", group) for group in result["duplicates"]]
    groups += [(f"Near duplicate, similarity {group['similarity']:.2f}", group) for group in result["near_duplicates"]]
    leaks = [(kind, group) for kind, group in groups if group["splits_differ"]]
    others = [(kind, group) for kind, group in groups if not group["splits_differ"]]
    max_bytes = MAX_BYTES["duplicates"]
    for heading, prose, members in (
        ("Leaks between splits", "Duplicates and near duplicates in two splits. They make metrics too high.", leaks),
        ("Duplicates within a split", "Equal files and near duplicates.", others),
    ):
        cases = _take(max_bytes, (_duplicate_case(kind, group, images) for kind, group in members))
        max_bytes -= sum(map(_size, cases))
        if members:
            yield Section(heading, prose + _shown(len(cases), len(members), "--json lists all"), cases=cases)


def _duplicate_case(kind: str, group: dict[str, Any], images: _Images) -> Case:
    ids = group["ids"]
    differ = [name for name, key in (("classes", "labels_differ"), ("splits", "splits_differ")) if group[key]]
    note = kind + "".join(f", in different {name}" for name in differ)
    if len(ids) > MAX_GROUP_IMAGES:
        note += f"; {MAX_GROUP_IMAGES} of {len(ids)} images shown"
    shown = [
        image
        for name in ids[:MAX_GROUP_IMAGES]
        for image in images.read(name, f"{images.label(name)}, {images.split(name)}", name)
    ]
    return Case(" and ".join(ids[:2]) + (f" and {len(ids) - 2} more" if len(ids) > 2 else ""), note, shown)


def _image_section(result: dict[str, Any], images: _Images) -> Iterator[Section]:
    issues = result["image_issues"]
    if issues:
        cases = _take(MAX_BYTES["image_issues"], (_image_case(key, ids, images) for key, ids in issues.items()))
        prose = "Decodable images with unusual properties." + _shown(len(cases), len(issues), "--json lists all")
        yield Section("Image issues", prose, cases=cases)


def _image_case(key: str, ids: Sequence[str], images: _Images) -> Case:
    shown = [image for name in ids[:MAX_ISSUE_IMAGES] for image in images.read(name, images.label(name), name)]
    more = f"; {MAX_ISSUE_IMAGES} shown" if len(ids) > MAX_ISSUE_IMAGES else ""
    return Case(
        key.replace("_", " "), f"{len(ids):,} image{'' if len(ids) == 1 else 's'}: {IMAGE_ISSUES[key]}{more}", shown
    )


def _broken_section(result: dict[str, Any]) -> Iterator[Section]:
    if broken := result["broken"]:
        rows = list(broken.items())[:MAX_ROWS]
        prose = "Files that cannot be decoded." + _shown(len(rows), len(broken), "--json lists all")
        yield Section("Broken files", prose, tables=[Table(["File", "Reason"], rows)])


def _notes_section(result: dict[str, Any]) -> Iterator[Section]:
    if result["notes"]:
        yield Section("Notes", tables=[Table(["Note"], [[note] for note in result["notes"]])])


def _take(max_bytes: int, cases: Iterable[Case]) -> list[Case]:
    """Return the first cases whose images fit into `max_bytes`."""
    taken: list[Case] = []
    for case in cases:
        max_bytes -= _size(case)
        if max_bytes < 0:
            break
        taken.append(case)
    return taken


def _size(case: Case) -> int:
    return sum(len(pixels_uri(image.pixels)) + 1000 for image in case.images)


def _shown(n_shown: int, n: int, hint: str) -> str:
    return "" if n_shown >= n else f" {n_shown:,} of {n:,} shown; {hint}."
