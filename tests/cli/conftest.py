"""The command line in this process, a trained run, and functions on files."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tfretrieval.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        """The JSON object of a command that succeeded."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def failure(self) -> str:
        """The error line of a command that failed without output."""
        assert (self.code, self.out) == (1, "")
        return self.error

    @property
    def error(self) -> str:
        """The error line; there must be exactly one, the last."""
        lines = [line for line in self.err.splitlines() if line.startswith("tfret: error: ")]
        assert len(lines) == 1, self.err
        assert self.err.rstrip().splitlines()[-1] == lines[0], "the error must be the last line"
        assert "Traceback" not in self.err
        return lines[0]


@pytest.fixture
def tfret(capfd):
    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Outcome(int(stopped.value.code or 0), captured.out, captured.err)

    return run


QUICK = ("--epochs", 2, "--steps-per-epoch", 2, "--image-size", 16, "--images-per-class", 3, "--batch-size", 4)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory, scenes) -> Path:
    directory = tmp_path_factory.mktemp("finished") / "run"
    arguments = ["train", "triplet", "--data", scenes, "--run", directory, *QUICK]
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    assert not stopped.value.code
    return directory


@pytest.fixture
def run(finished_run, tmp_path) -> Path:
    """A copy of the trained run that a test may change."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))


@pytest.fixture
def data(scenes, tmp_path) -> Path:
    """A copy of the scenes that a test may change."""
    return Path(shutil.copytree(scenes, tmp_path / "scenes"))


@pytest.fixture
def images() -> Callable[[Path], list[Path]]:
    """List the files below a folder."""
    return lambda folder: sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def tree_of(images) -> Callable[[Path], dict[str, str]]:
    """Hash every file below a folder: {relative path: digest}."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in images(folder)
    }


@pytest.fixture
def truncate() -> Callable[[Path], object]:
    """Cut a file in half."""
    return lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture
def write_csv() -> Callable[..., Path]:
    """Write columns and rows as a CSV file."""

    def write(path: Path, columns: list[str], rows: list[list[object]]) -> Path:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
        return path

    return write
