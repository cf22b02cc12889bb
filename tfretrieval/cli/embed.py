"""`tfret embed`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import data_option, engine_options, on_error_option, run_option, seed_option
from tfretrieval.cli.output import prints_result


@click.command()
@run_option
@data_option
@click.option("--split", metavar="NAME", help="One split, or all.  [default: each]")
@engine_options
@click.option("--output", type=click.Path(path_type=Path), help="Folder of the store.  [default: in the run]")
@click.option("--shards", metavar="DIR", help="With ray: let its nodes write Parquet shards here, such as s3://b/v.")
@on_error_option
@seed_option
@prints_result
def embed(
    run: Path | None,
    data: str | None,
    split: str | None,
    engine: str,
    precision: str,
    address: str | None,
    output: Path | None,
    shards: str | None,
    on_error: str,
    seed: int,
) -> tuple[dict[str, Any], str]:
    """Turn the images of a split into vectors.

    A store holds vectors.npy (float32), items.parquet (id, path, label, split) and embeddings.json. One that is
    interrupted goes on where it stopped.

    The engine auto is openvino where it is installed (pip install 'tfretrieval[openvino]'), on a machine without a GPU,
    for 512 images or more; its model is converted once and kept in the run. The precision auto is bfloat16 where the
    CPU has it and the vectors of a sample agree with float32 to a cosine of 0.999. int8 calibrates on 300 of the
    images, says what it loses, and needs pip install 'tfretrieval[int8]'.

    The engine ray (pip install 'tfretrieval[ray]') spreads the work of the named engine, or that of auto, over the
    nodes of a Ray cluster. Images in a CSV may then be remote, such as s3://bucket/a.jpg. With --shards the vectors
    do not come to this machine: the nodes write them, and `tfret index --store` reads them as one store.
    """
    from tfretrieval.runs import Run
    from tfretrieval.workflows.embed import embed_catalog, embed_shards, embed_split
    from tfretrieval.workflows.engine import EngineChoice
    from tfretrieval.workflows.gallery import run_catalog

    if shards is not None and (output is not None or engine.partition(":")[0] != "ray"):
        raise click.UsageError("--shards goes with --engine ray and without --output")
    choice = EngineChoice(engine, precision, address)
    opened = Run.open(run)
    catalog = run_catalog(opened, data)
    if shards is not None:
        part = catalog.split(split) if split else catalog
        n, dim = embed_shards(opened, part, shards, on_error, choice)
        return {"shards": shards, "n": n, "dim": dim}, f"{shards}: {n} vectors of {dim} values"
    stores = []
    for name in [split] if split else catalog.split_names:
        if output is None and data is None:
            embeddings = embed_split(opened, catalog, name, on_error, rebuild_damaged=True, choice=choice)
            target = opened.embeddings(name)
        else:
            target = (output or Path("embeddings")) / ("" if split else name)
            embeddings = embed_catalog(opened, catalog.split(name), on_error, choice, target)
        stores.append(
            {"split": name, "path": str(target), "n": len(embeddings), "dim": embeddings.dim,
             "engine": embeddings.made_from["engine"], "precision": embeddings.made_from["precision"],
             "fingerprint": embeddings.fingerprint}
        )  # fmt: skip
    text = "\n".join(
        f"{s['path']}: {s['n']} vectors of {s['dim']} values, by {s['engine']} in {s['precision']}" for s in stores
    )
    return {"stores": stores}, text
