"""`tfret data`: prepare, verify and audit data sets."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import PATH, seed_option
from tfretrieval.cli.output import prints_result, table
from tfretrieval.errors import in_one_line
from tfretrieval.quiet import load_tensorflow

MAX_NAMES, MAX_LINES = 4, 20  # names per line, lines per list


@click.group()
def data() -> None:
    """Prepare, verify and audit data sets."""


@data.command()
@click.argument("name", type=click.Choice(["mit-split", "digits"]))
@click.option("--archive", metavar="FILE|URL", help="mit-split: original archive.")
@click.option("--output", type=PATH, metavar="DIR", help="mit-split: output directory.  [default: the cache directory]")
@seed_option
@prints_result
def prepare(name: str, archive: str | None, output: Path | None, seed: int) -> tuple[dict[str, Any], str]:
    """Write a built-in data set into class folders.

    mit-split needs the archive spatial_envelope_256x256_static_8outdoorcategories.zip, which holds 2,688 files named
    CLASS_NAME.jpg. Size and sha256 of every file are checked. Rerun the command to resume after an interruption.
    """
    from tfretrieval.data import digits, mit_split

    if name == "digits":
        if archive or output:
            raise click.UsageError("digits takes neither --archive nor --output")
        folder, n = digits.folder(), len(list(digits.folder().rglob("*.png")))
    else:
        if archive is None:
            raise click.UsageError("mit-split requires --archive FILE|URL")
        folder, n = mit_split.prepare(archive, output), len(mit_split.manifest())
    return {"name": name, "path": str(folder), "n": n}, f"{folder}: {n} images"


@data.command(short_help="Check the files of mit-split against the manifest.")
@click.argument("path", type=PATH, required=False)
@seed_option
@prints_result
def verify(path: Path | None, seed: int) -> tuple[dict[str, Any], str]:
    """Check the files of mit-split against the manifest: existence, size and sha256.

    Exits with status 1 if a file is missing or differs. PATH defaults to the prepared data set.
    """
    from tfretrieval.data import mit_split

    folder = path or mit_split.folder()
    faults = mit_split.verify(folder)
    n = len(mit_split.manifest())
    result = {"path": str(folder), "n": n, "faults": faults, "exit_code": 1 if faults else 0}
    for fault in faults[:MAX_LINES]:
        click.echo(fault, err=True)
    return result, f"{folder}: {len(faults) or 'no'} faults in {n} files"


@data.command(short_help="Find duplicates, leaks, label issues and image issues.")
@click.argument("source", metavar="SOURCE")
@click.option("--run", type=PATH, help="Run whose model finds label issues and more near duplicates.")
@click.option("--label-issues", type=click.IntRange(min=0), default=50, help="Number of label issues to list.")
@click.option("--page", type=PATH, metavar="FILE.html", help="Write an HTML page with images.")
@seed_option
@prints_result
def audit(source: str, run: Path | None, label_issues: int, page: Path | None, seed: int) -> tuple[dict[str, Any], str]:
    """Find duplicates, leaks between splits, label issues, image issues and unreadable files.

    Two images are near duplicates if their high-pass filtered 32 x 32 grayscale thumbnails have a correlation of at
    least 0.85, original or mirrored; or of 0.55 if their embeddings have a cosine similarity of at least 0.9 and each
    is among the other's three nearest neighbors. Thresholds are raised if unrelated images are correlated.

    With --run, the run's model embeds the images. This finds more near duplicates, and label issues: images that a
    linear model, fitted to all other images, assigns to another class. Prefer a pretrained model to one trained on
    labels that may be wrong: `tfret train resnet --data SOURCE --epochs 0`.

    Exits with status 0 for any readable source, whatever the audit finds.
    """
    if page and page.suffix.lower() != ".html":
        raise click.BadParameter("the file name must end in .html", param_hint="--page")
    from tfretrieval.runs import Run

    opened = None if run is None else Run.open(run)
    load_tensorflow()
    from tfretrieval.audit.audit import audit as audit_images
    from tfretrieval.data.catalog import Catalog

    catalog = Catalog.from_source(source)
    result = audit_images(catalog, opened, label_issues)
    if page:
        from tfretrieval.audit.page import write_audit_page

        write_audit_page(page, catalog, result, opened)
        result["page"] = str(page)
    return result, "\n".join(_format_audit(result))


def _format_audit(result: dict[str, Any]) -> Iterator[str]:
    from tfretrieval.audit.audit import count_issues

    counts = ", ".join(f"{name} {count}" for name, count in count_issues(result).items())
    yield f"{result['n']} images, {len(result['classes'])} classes; {counts}"
    splits = list(dict.fromkeys(split for counts in result["classes"].values() for split in counts))
    yield table(
        ["class", *splits],
        [[name, *(str(counts.get(split, 0)) for split in splits)] for name, counts in result["classes"].items()],
    )
    yield from _format_duplicates(result)
    yield from _truncate([f"broken: {in_one_line(name)}: {reason}" for name, reason in result["broken"].items()])
    yield from _format_image_issues(result["image_issues"])
    yield from (f"note: {note}" for note in result["notes"])
    yield from _format_label_issues(result)
    if "page" in result:
        yield f"page: {result['page']}"


def _format_duplicates(result: dict[str, Any]) -> Iterator[str]:
    """Groups of duplicates, those in different classes or splits first."""
    from tfretrieval.audit.audit import describe_duplicates

    groups = [*result["duplicates"], *result["near_duplicates"]]
    groups.sort(key=lambda group: -(group["labels_differ"] + group["splits_differ"]))
    return _truncate([f"{describe_duplicates(group)}: {_format_names(group['ids'])}" for group in groups])


def _format_image_issues(issues: dict[str, list[str]]) -> Iterator[str]:
    from tfretrieval.audit.image_issues import IMAGE_ISSUES

    for key, names in issues.items():
        yield f"image issue: {key} ({IMAGE_ISSUES[key]}), {len(names)}: {_format_names(names)}"


def _format_label_issues(result: dict[str, Any]) -> Iterator[str]:
    issues = result["label_issues"]
    if issues is None:
        yield (
            "labels were not checked; to check them with a pretrained model: "
            f"tfret train resnet --data {result['source']} --epochs 0 --run runs/frozen, then audit with "
            "--run runs/frozen"
        )
        return
    shown = f", {len(issues)} listed" if len(issues) < result["n_label_issues"] else ""
    yield f"{result['n_label_issues']} label issues{shown}"
    if issues:
        rows = [
            [issue["id"], issue["label"], issue["suggested_label"], f"{issue['score']:.3f}"]
            + [f"{other['id']} {other['cosine']:.3f}" for other in issue["neighbors"][:1]]
            for issue in issues
        ]
        yield table(["image", "class", "suggested", "score", "nearest of that class, cosine"], rows)


def _format_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return in_one_line(", ".join(names[:MAX_NAMES])) + more


def _truncate(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MAX_LINES]
    if len(lines) > MAX_LINES:
        yield f"and {len(lines) - MAX_LINES} more; --json lists all"
