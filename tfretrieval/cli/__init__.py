"""The `tfret` command line. Commands are imported when they run, so that start-up needs click alone."""

import importlib
import os
import sys
from typing import NoReturn

import click

from tfretrieval import __version__
from tfretrieval.errors import UserError, in_one_line

COMMANDS = {
    "train": "Train an embedding on labeled images.",
    "embed": "Compute the embeddings of images.",
    "index": "Build a search index over the gallery.",
    "evaluate": "Evaluate retrieval: mAP, precision at k and more.",
    "query": "Find the most similar images of the gallery.",
    "visualize": "Plot curves, confusion matrix, neighbors and maps of a run.",
    "serve": "Explore a run in the browser.",
    "report": "Write an HTML report of a run.",
    "export": "Export a run's model as a SavedModel.",
    "study": "Train several models and compare them.",
    "data": "Prepare, verify and audit data sets.",
    "info": "Show versions, devices and available engines.",
    "demo": "Run a small study on handwritten digits.",
}


class LazyGroup(click.Group):
    """A group that lists its commands without importing them."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"tfretrieval.cli.{name}"), name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(__version__, prog_name="tfret")
@click.option("--debug", is_flag=True, help="Show the stack trace of an error.")
def tfret(debug: bool) -> None:
    """Image retrieval and metric learning.

    Train an embedding on folders of labeled images, index it, evaluate it, visualize the results and export the model.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit.

    Exit status: 0 success, 1 error, 2 invalid command line, 3 a metric below --fail-under, 75 a worker of a distributed
    training failed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args = sys.argv[1:] if arguments is None else arguments
    try:
        sys.exit(tfret.main(args=args, prog_name="tfret", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        # click replaces a KeyboardInterrupt, whose message may say how to resume
        message = "; ".join(filter(None, ["interrupted", "finished work is kept", str(error.__cause__ or error)]))
        exit_with_error(message, immediately=arguments is None)
    except Exception as error:
        if "--debug" in args[:1]:
            raise
        exit_with_error(_message(error))


def exit_with_error(message: str, status: int = 1, immediately: bool = False) -> NoReturn:
    """Print an error line and exit; `immediately` does not wait for the threads of libraries."""
    click.echo(f"tfret: error: {message}", err=True)
    if immediately:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _message(error: Exception) -> str:
    if isinstance(error, UserError):
        return in_one_line(str(error))
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller --batch-size or --image-size"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]} (run `tfret --debug ...` for the stack trace)"
