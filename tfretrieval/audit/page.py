"""The audit page: issues and duplicates, with their images side by side."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfretrieval.audit.audit import count_issues, describe_duplicates
from tfretrieval.audit.image_issues import IMAGE_ISSUES
from tfretrieval.data.catalog import Catalog
from tfretrieval.data.read_image import BrokenImageError, read_thumbnail
from tfretrieval.report.content import Report, Section, Table
from tfretrieval.report.image import pixels_uri
from tfretrieval.report.page import write_report
from tfretrieval.report.tables import data_table
from tfretrieval.runs import Run, versions
from tfretrieval.visualize.neighbors import ImageRow, LabeledImage, Role

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
        facts=[
            ("Images", result["n"]),
            ("Classes", len(result["classes"])),
            ("Label issues", result["n_label_issues"]),
            *((name.capitalize(), count) for name, count in count_issues(result).items()),
        ],
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

    def read(self, name: str, note: str, role: Role = "unknown") -> list[LabeledImage]:
        """Return the image of an item with its class and split; an empty list if it cannot be read."""
        row = self._row_of[name]
        label = self._catalog.class_of(row) or "class unknown"
        try:
            pixels = read_thumbnail(str(self._catalog.paths[row]), SIDE)
        except BrokenImageError:
            return []
        return [LabeledImage(pixels, f"{label}, {self._catalog.splits[row]}", note, role, f"{name}, labeled {label}")]

    def read_first(self, ids: Sequence[str]) -> list[LabeledImage]:
        return [image for name in ids[:MAX_CASE_IMAGES] for image in self.read(name, name)]


def _summary(result: dict[str, Any]) -> str:
    if result["label_issues"] is None:
        return "Files and pixels were checked. Checking labels needs the model of a run: --run DIR."
    return (
        "Files, pixels and embeddings were checked. A label issue is a candidate: compare the image with its neighbors "
        "before you change the label."
    )


def _sections(result: dict[str, Any], images: _Images) -> Iterator[Section]:
    if issues := result["label_issues"]:
        prose = (
            f"{result['n_label_issues']:,} images fit another class better than their own, highest score first (at "
            "most 1). Beside each image: the most similar images of the suggested class."
        )
        cases = _within_limit("label_issues", (_label_case(issue, images) for issue in issues))
        hint = "--json lists more" if len(cases) < len(issues) else "--label-issues N lists more"
        yield Section("Label issues", prose + _truncation_note(len(cases), result["n_label_issues"], hint), cases=cases)
    groups = [*result["duplicates"], *result["near_duplicates"]]
    for key, heading, prose in (
        ("leaks", "Leaks between splits", "Duplicates and near duplicates in two splits. They make metrics too high."),
        ("duplicates", "Duplicates within a split", "Equal files and near duplicates."),
    ):
        if members := [group for group in groups if group["splits_differ"] == (key == "leaks")]:
            cases = _within_limit(key, (_duplicate_case(group, images) for group in members))
            yield Section(heading, prose + _truncation_note(len(cases), len(members), LISTS_ALL), cases=cases)
    if issues := result["image_issues"]:
        cases = _within_limit("image_issues", (_image_case(key, ids, images) for key, ids in issues.items()))
        prose = "Decodable images with unusual properties." + _truncation_note(len(cases), len(issues), LISTS_ALL)
        yield Section("Image issues", prose, cases=cases)
    if broken := result["broken"]:
        rows = list(broken.items())[:MAX_ROWS]
        prose = "Files that cannot be decoded." + _truncation_note(len(rows), len(broken), LISTS_ALL)
        yield Section("Broken files", prose, tables=[Table(["File", "Reason"], rows)])
    if notes := result["notes"]:
        yield Section("Notes", tables=[Table(["Note"], [[note] for note in notes])])


def _label_case(issue: dict[str, Any], images: _Images) -> ImageRow:
    neighbor_labels = ", ".join(f"{count} {name}" for name, count in issue["neighbor_labels"].items())
    shown = images.read(issue["id"], "given label", "query")
    for other in issue["neighbors"]:
        shown += images.read(other["id"], f"cosine {other['cosine']:.3f}, {other['id']}")
    note = (
        f"Label {issue['label']}, suggested {issue['suggested_label']}, score {issue['score']:.2f}. "
        f"Nearest neighbors: {neighbor_labels}."
    )
    return ImageRow(shown, issue["id"], note)


def _duplicate_case(group: dict[str, Any], images: _Images) -> ImageRow:
    ids, note = group["ids"], describe_duplicates(group).capitalize()
    if len(ids) > MAX_CASE_IMAGES:
        note += f"; {MAX_CASE_IMAGES} of {len(ids)} images shown"
    heading = " and ".join(ids[:2]) + (f" and {len(ids) - 2} more" if len(ids) > 2 else "")
    return ImageRow(images.read_first(ids), heading, note)


def _image_case(key: str, ids: Sequence[str], images: _Images) -> ImageRow:
    more = f"; {MAX_CASE_IMAGES} shown" if len(ids) > MAX_CASE_IMAGES else ""
    note = f"{len(ids):,} image{'' if len(ids) == 1 else 's'}: {IMAGE_ISSUES[key]}{more}"
    return ImageRow(images.read_first(ids), key.replace("_", " "), note)


def _within_limit(key: str, cases: Iterable[ImageRow]) -> list[ImageRow]:
    """Return the first cases whose images fit into the bytes of a section."""
    chosen, left = [], MAX_BYTES[key]
    for case in cases:
        left -= sum(len(pixels_uri(image.pixels)) + 1000 for image in case.images)
        if left < 0:
            break
        chosen.append(case)
    return chosen


def _truncation_note(n_shown: int, n: int, hint: str) -> str:
    return "" if n_shown >= n else f" {n_shown:,} of {n:,} shown; {hint}."
