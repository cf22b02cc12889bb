"""`tfret serve`."""

from __future__ import annotations

from pathlib import Path

import click

from tfretrieval.cli.options import RETRIEVERS, Bytes, data_option, run_option, seed_option


@click.command()
@run_option
@data_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; 0.0.0.0 is everywhere.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port; 0 takes one that is free."
)
@click.option(
    "--retriever", "retrievers", type=click.Choice(RETRIEVERS), multiple=True,
    help="Kind of index; repeatable.  [default: those of the run]",
)  # fmt: skip
@click.option("--max-upload", type=Bytes(), default="20MB", show_default=True, help="Largest upload.")
@click.option("--max-pixels", type=click.IntRange(min=1), default=50_000_000, show_default=True, help="Largest image.")
@click.option(
    "--max-in-flight", type=click.IntRange(min=1), default=64, show_default=True, help="Requests answered at a time."
)
@seed_option
def serve(
    run: Path | None,
    data: str | None,
    host: str,
    port: int,
    retrievers: tuple[str, ...],
    max_upload: int,
    max_pixels: int,
    max_in_flight: int,
    seed: int,
) -> None:
    """Explore a run in the browser: search, map, evaluation, errors.

    Nothing leaves this machine, and only images of the run can be read. The same is there for programs under /api;
    /openapi.json describes it. Ctrl-C ends the server once the requests under way are answered.
    """
    from tfretrieval.cli.output import notes_to_stderr

    with notes_to_stderr():
        from tfretrieval.runs import Run
        from tfretrieval.serve.server import listening, serve_forever

        opened = Run.open(run)
        with listening(host, port) as socket:
            from tfretrieval.serve.limits import Limits
            from tfretrieval.serve.loading import open_collection
            from tfretrieval.serve.service import Service

            limits = Limits(upload_bytes=max_upload, pixels=max_pixels, in_flight=max_in_flight)
            service = Service(open_collection(opened, data, retrievers, seed), limits, seed)
            serve_forever(service, socket, host)
