"""`tfret data`: prepare, verify and audit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import seed_option
from tfretrieval.cli.output import prints_result, table
from tfretrieval.errors import in_one_line
from tfretrieval.quiet import load_tensorflow

NAMED, LISTED = 4, 20  # names in a line, lines of a kind


@click.group()
def data() -> None:
    """Prepare, verify and audit data sets."""


@data.command()
@click.argument("name", type=click.Choice(["mit-split", "digits"]))
@click.option("--archive", metavar="FILE|URL", help="The original archive of mit-split.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder.  [default: in the cache, where mit-split is found]",
)
@seed_option
@prints_result
def prepare(name: str, archive: str | None, output: Path | None, seed: int) -> tuple[dict[str, Any], str]:
    """Lay a built-in data set out as folders.

    mit-split comes from spatial_envelope_256x256_static_8outdoorcategories.zip: 2,688 files named CLASS_NAME.jpg. Every
    file is checked by size and sha256. Called again after an interruption, it goes on where it stopped.
    """
    from tfretrieval.data import digits, mit_split

    if name == "digits":
        if archive or output:
            raise click.UsageError("digits needs neither --archive nor --output")
        target, n = digits.folder(), len(list(digits.folder().rglob("*.png")))
    else:
        if archive is None:
            raise click.UsageError("mit-split needs --archive FILE|URL")
        target, n = mit_split.prepare(archive, output), len(mit_split.manifest())
    return {"name": name, "path": str(target), "n": n}, f"{target}: {n} images"


@data.command(short_help="Check a folder of mit-split against the manifest.")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@seed_option
@prints_result
def verify(path: Path | None, seed: int) -> tuple[dict[str, Any], str]:
    """Check a folder of mit-split against the manifest: presence, size and sha256 of every file."""
    from tfretrieval.data import mit_split

    folder = path or mit_split.folder()
    faults = mit_split.verify(folder)
    n = len(mit_split.manifest())
    result = {"path": str(folder), "n": n, "faults": faults, "exit_code": 1 if faults else 0}
    for fault in faults[:20]:
        click.echo(fault, err=True)
    return result, f"{folder}: {len(faults) or 'no'} faults in {n} files"


@data.command(short_help="Look for wrong labels, duplicates, leaks and broken files.")
@click.argument("source", metavar="SOURCE")
@click.option("--run", type=click.Path(path_type=Path), help="Run whose model looks for wrong labels.  [default: none]")
@click.option(
    "--suspects", type=click.IntRange(min=0), default=50, show_default=True, help="Doubtful labels that are listed."
)
@click.option("--page", type=click.Path(path_type=Path), metavar="FILE.html", help="Show what is found as images.")
@seed_option
@prints_result
def audit(source: str, run: Path | None, suspects: int, page: Path | None, seed: int) -> tuple[dict[str, Any], str]:
    """Look for wrong labels, images that are there twice, leaks between splits, and broken and odd files.

    Images are near duplicates where the details of both, 32 x 32 gray pixels less the mean of their surroundings,
    have a correlation of 0.85, upright or mirrored; or of 0.55 where their embeddings agree too. Where random images
    of the source have much in common, more is asked.

    With --run, the model of a run embeds the images, which finds more near duplicates, and a linear model of the
    classes, fitted to all images but the one that is judged, says which look more like another class. A model that
    was trained on wrong labels may have learned them: a frozen one is the better judge, as `tfret train resnet --data
    SOURCE --epochs 0` makes it.

    Exits with 0 whatever it finds in a source that can be read: what to do about it is yours to say.
    """
    if page and page.suffix.lower() != ".html":
        raise click.BadParameter("a page is an HTML file; give a name that ends in .html", param_hint="--page")
    from tfretrieval.runs import Run

    opened = None if run is None else Run.open(run)
    load_tensorflow()
    from tfretrieval.audit.audit import audit as look_over
    from tfretrieval.data.catalog import Catalog

    catalog = Catalog.from_source(source)
    found = look_over(catalog, opened, suspects)
    if page:
        from tfretrieval.audit.page import write_audit_page

        write_audit_page(page, catalog, found, opened)
        found["page"] = str(page)
    return found, "\n".join(_audit_lines(found))


def _audit_lines(found: dict[str, Any]) -> Iterator[str]:
    from tfretrieval.audit.image_issues import ODDITIES

    splits = list(dict.fromkeys(split for counts in found["classes"].values() for split in counts))
    yield f"{found['n']} images, {len(found['classes'])} classes; {_counts(found)}"
    yield table(
        ["class", *splits],
        [[name, *(str(counts.get(split, 0)) for split in splits)] for name, counts in found["classes"].items()],
    )
    groups = [("same file", each) for each in found["duplicates"]]
    groups += [(f"near duplicate, likeness {each['likeness']:.2f}", each) for each in found["near_duplicates"]]
    yield from _first(
        f"{kind}{''.join(f', other {name}' for name in _differing(each))}: {_some(each['ids'])}"
        for kind, each in sorted(groups, key=lambda pair: -len(_differing(pair[1])))
    )
    yield from _first(f"broken: {in_one_line(name)}: {reason}" for name, reason in found["broken"].items())
    for key, names in found["odd"].items():
        yield f"odd: {key} ({ODDITIES[key]}), {len(names)}: {_some(names)}"
    yield from (f"note: {note}" for note in found["notes"])
    if found["suspects"] is None:
        yield (
            "labels were not judged: --run DIR does, best with the run of a frozen backbone "
            f"(tfret train resnet --data {found['source']} --epochs 0 --run runs/frozen)"
        )
    else:
        shown = len(found["suspects"])
        more = f", the first {shown}" if shown < found["n_suspects"] else ""
        yield f"{found['n_suspects']} labels are doubtful{more}{':' if shown else ''}"
    if found["suspects"]:
        yield table(
            ["image", "class", "looks like", "score", "nearest of that class, cosine"],
            [
                [each["id"], each["label"], each["suggested"], f"{each['score']:.3f}"]
                + [f"{near['id']} {near['cosine']:.3f}" for near in each["neighbors"][:1]]
                for each in found["suspects"]
            ],
        )
    if "page" in found:
        yield f"page: {found['page']}"


def _counts(found: dict[str, Any]) -> str:
    """How many faults of each kind there are."""
    odd = {name for names in found["odd"].values() for name in names}
    counts = {
        "same file": len(found["duplicates"]),
        "near duplicates": len(found["near_duplicates"]),
        "leaks": len(found["leaks"]),
        "broken": len(found["broken"]),
        "odd": len(odd),
    }
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _differing(each: dict[str, Any]) -> list[str]:
    return [name for name, key in (("class", "labels_differ"), ("split", "splits_differ")) if each[key]]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return in_one_line(", ".join(names[:NAMED])) + more


def _first(lines: Iterable[str]) -> Iterator[str]:
    every = list(lines)
    yield from every[:LISTED]
    if len(every) > LISTED:
        yield f"and {len(every) - LISTED} more; --json lists all"
