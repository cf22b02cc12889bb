"""`tfret embed`."""

from pathlib import Path
from typing import Any

import click

from tfretrieval.cli.options import PATH, data_option, engine_options, on_error_option, run_option, seed_option
from tfretrieval.cli.output import prints_result


@click.command()
@run_option
@data_option
@click.option(
    "--split",
    metavar="NAME",
    help="Split to embed; all writes every split to one store.  [default: all splits, one store each]",
)
@engine_options
@click.option("--output", type=PATH, metavar="DIR", help="Directory.  [default: the run; with --data embeddings/]")
@click.option("--shards", metavar="DIR", help="Ray: write Parquet shards from the nodes, such as to s3://bucket/dir.")
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
    """Compute the embeddings of images.

    A store holds vectors.npy (float32), items.parquet (id, path, label, split) and embeddings.json. Rerun the command
    to resume after an interruption.

    --engine auto selects OpenVINO if it is installed (pip install 'tfretrieval[openvino]'), the machine has no GPU, and
    there are 512 images or more or the model is already converted. The model is converted once and cached in the run.
    --precision auto selects bfloat16 if the CPU supports it and the embeddings of a sample have a cosine similarity of
    at least 0.999 to those in float32. int8 (pip install 'tfretrieval[int8]') is calibrated on 300 of the images, and
    the drop in mAP is printed.

    Engine ray (pip install 'tfretrieval[ray]') distributes the named engine, or auto, over a Ray cluster. Images of a
    CSV file may be remote, such as s3://bucket/a.jpg. With --shards the nodes write the embeddings themselves;
    `tfret index --store` reads the shards as one store.
    """
    from tfretrieval.runs import Run
    from tfretrieval.workflows.embed import EmbedOptions, embed_catalog, embed_shards, embed_split
    from tfretrieval.workflows.engine import EngineChoice
    from tfretrieval.workflows.gallery import run_catalog

    if shards is not None and (output is not None or engine.partition(":")[0] != "ray"):
        raise click.UsageError("--shards requires --engine ray and excludes --output")
    options = EmbedOptions(on_error, EngineChoice(engine, precision, address))
    opened = Run.open(run)
    catalog = run_catalog(opened, data)
    if shards is not None:
        part = catalog.split(split) if split else catalog
        n, dim = embed_shards(opened, part, shards, options)
        return {"shards": shards, "n": n, "dim": dim}, f"{shards}: {n} vectors, {dim} dimensions"
    stores = []
    for name in [split] if split else catalog.split_names:
        if output is None and data is None:
            embeddings = embed_split(opened, catalog, name, options)
            target = opened.embeddings(name)
        else:
            target = (output or Path("embeddings")) / ("" if split else name)
            embeddings = embed_catalog(opened, catalog.split(name), options, target)
        stores.append(_describe(name, target, embeddings))
    lines = [
        f"{store['path']}: {store['n']} vectors, {store['dim']} dimensions, {store['engine']} in {store['precision']}"
        for store in stores
    ]
    return {"stores": stores}, "\n".join(lines)


def _describe(split: str, target: Path, embeddings: Any) -> dict[str, Any]:
    return {
        "split": split,
        "path": str(target),
        "n": len(embeddings),
        "dim": embeddings.dim,
        "engine": embeddings.provenance["engine"],
        "precision": embeddings.provenance["precision"],
        "fingerprint": embeddings.fingerprint,
    }
