"""`tfret embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import data_option, on_error_option, run_option, seed_option
from tfretrieval.cli.output import load_tensorflow, prints_result


@click.command()
@run_option
@data_option
@click.option("--split", metavar="NAME", help="One split, or all.  [default: each]")
@click.option("--engine", type=click.Choice(["keras"]), default="keras", show_default=True, help="What computes.")
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the store.  [default: in the run]")
@on_error_option
@seed_option
@prints_result
def embed(
    run: Path | None,
    data: str | None,
    split: str | None,
    engine: str,
    output: Path | None,
    on_error: str,
    seed: int,
) -> tuple[dict[str, Any], str]:
    """Turn the pictures of a split into vectors.

    A store holds vectors.npy (float32), items.parquet (id, path, label, split) and embeddings.json.
    """
    load_tensorflow()
    from tfretrieval.runs import Run
    from tfretrieval.steps.embed import embed_catalog, embed_split
    from tfretrieval.steps.model import run_catalog

    opened = Run.open(run)
    catalog = run_catalog(opened, data)
    stores = []
    for name in [split] if split else catalog.split_names:
        if output is None and data is None:
            embeddings = embed_split(opened, catalog, name, on_error, rebuild_damaged=True)
            target = opened.embeddings(name)
        else:
            target = (output or Path("embeddings")) / ("" if split else name)
            made_from = {"model": opened.model_fingerprint(), "data": catalog.split(name).fingerprint}
            embeddings = embed_catalog(opened, catalog.split(name), on_error, made_from)
            embeddings.save(target)
        stores.append(
            {"split": name, "path": str(target), "n": len(embeddings), "dim": embeddings.dim,
             "fingerprint": embeddings.fingerprint}
        )  # fmt: skip
    text = "\n".join(f"{s['path']}: {s['n']} vectors of {s['dim']} values" for s in stores)
    return {"engine": engine, "stores": stores}, text
