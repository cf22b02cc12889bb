"""`tfret data`: prepare, verify and audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import seed_option
from tfretrieval.cli.output import prints_result
from tfretrieval.quiet import load_tensorflow


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
    return {"name": name, "path": str(target), "n": n}, f"{target}: {n} pictures"


@data.command()
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


@data.command()
@click.argument("source", metavar="SOURCE")
@seed_option
@prints_result
def audit(source: str, seed: int) -> tuple[dict[str, Any], str]:
    """Look for broken files, files that appear twice, and small or uneven classes.

    Exits with 0 whatever it finds: what to do about it is yours to say.
    """
    load_tensorflow()
    from tfretrieval.data.audit import audit_catalog
    from tfretrieval.data.catalog import Catalog

    found = audit_catalog(Catalog.from_source(source))
    lines = [f"{found['n']} pictures, {len(found['classes'])} classes"]
    lines += [
        f"  {name}: {', '.join(f'{split} {n}' for split, n in by.items())}" for name, by in found["classes"].items()
    ]
    for group in found["duplicates"]:
        other = [name for name, key in (("class", "labels_differ"), ("split", "splits_differ")) if group[key]]
        lines.append(f"same file{''.join(f', other {name}' for name in other)}: {', '.join(group['ids'])}")
    lines += [f"broken: {name}: {reason}" for name, reason in found["broken"].items()]
    lines += [f"note: {note}" for note in found["notes"]]
    return found, "\n".join(lines)
