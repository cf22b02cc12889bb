"""The command line in this process, and a small finished run to try things on."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tfretrieval.cli import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says what went wrong; there must be exactly one."""
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
    """A copy of the finished run that a test may spoil."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))
