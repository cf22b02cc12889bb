"""The command `tfret`. Only click is imported until a command runs, so that it starts at once."""

from __future__ import annotations

import importlib
import os
import sys

import click

from tfretrieval._version import __version__
from tfretrieval.errors import UserError, in_one_line

COMMANDS = {
    "train": "Train an embedding on labelled images.",
    "embed": "Turn the images of a split into vectors.",
    "index": "Build an index over the gallery's vectors.",
    "evaluate": "Measure how well queries find their class.",
    "query": "Find the images that are most like an image.",
    "visualize": "Draw curves, confusion, neighbors and maps of a run.",
    "serve": "Explore a run in the browser.",
    "report": "Put what a run is and reached on one page, report.html.",
    "export": "Write a run's model as a SavedModel.",
    "study": "Train every model, run every retriever, compare them.",
    "data": "Prepare, verify and audit data sets.",
    "info": "Say what is installed and what can be used.",
    "demo": "Run a small study on handwritten digits.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and lines of help, and imports one when it is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"tfretrieval.cli.{name}"), name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tfret")
@click.option("--debug", is_flag=True, help="Show the stack trace of an error.")
def tfret(debug: bool) -> None:
    """Image retrieval and metric learning: find images like this one.

    Train an embedding on folders of labelled images, index it, measure it, look at it, ship it.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 3 below --fail-under."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    given = sys.argv[1:] if arguments is None else arguments
    try:
        sys.exit(tfret.main(args=given, prog_name="tfret", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        _interrupted("", at_once=arguments is None)
    except Exception as error:
        if "--debug" in given[:1]:
            raise
        _fail(_one_line(error))
    except KeyboardInterrupt as error:
        _interrupted(str(error), at_once=arguments is None)


def _one_line(error: Exception) -> str:
    """What to tell the user: the error's own words where it was made for users."""
    if isinstance(error, UserError):
        return in_one_line(str(error))
    if isinstance(error, MemoryError):
        return "out of memory; try a smaller --batch-size or --image-size"
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:300]} (`tfret --debug ...` shows where)"


def _interrupted(how_to_go_on: str, at_once: bool) -> None:
    _fail("; ".join(["interrupted", "what was finished is kept", *([how_to_go_on] if how_to_go_on else [])]), at_once)


def _fail(message: str, at_once: bool = False) -> None:
    """Say what went wrong and exit with 1; `at_once` does not wait for the threads of libraries."""
    click.echo(f"tfret: error: {message}", err=True)
    if at_once:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)
    sys.exit(1)
