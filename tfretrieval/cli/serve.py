"""`tfret serve`."""

from pathlib import Path

import click

from tfretrieval.cli.options import data_option, n_bytes, retrievers_option, run_option, seed_option


@click.command()
@run_option
@data_option
@click.option("--host", default="127.0.0.1", help="Bind address; 0.0.0.0 for all interfaces.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, help="Port; 0 for a free one.")
@retrievers_option
@click.option("--max-upload", type=n_bytes, metavar="SIZE", default="20MB", help="Size limit of an upload.")
@click.option("--max-pixels", type=click.IntRange(min=1), default=50_000_000, help="Pixel limit of an image.")
@click.option("--max-in-flight", type=click.IntRange(min=1), default=64, help="Limit of concurrent requests.")
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

    The page makes no external requests, and only images of the run can be read. The HTTP API is under /api and
    described by /openapi.json. Ctrl-C stops the server after the requests in progress.
    """
    from tfretrieval.cli.output import log_to_stderr

    with log_to_stderr():
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
