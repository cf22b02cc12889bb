"""The command line itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tfretrieval.cli import COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_is_listed(tfret, command):
    assert COMMANDS[command] in tfret("--help").out
    outcome = tfret(command, "--help")
    assert outcome.code == 0
    assert COMMANDS[command].rstrip(".") in " ".join(outcome.out.split())


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from tfretrieval.cli import tfret; tfret.main(['--help'], standalone_mode=False); "
        "print(sorted(sys.modules))"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not [
        name for name in ("tensorflow", "keras", "numpy", "sklearn", "matplotlib", "faiss") if f"'{name}'" in modules
    ]


def test_version_is_printed(tfret):
    from tfretrieval import __version__

    assert __version__ in tfret("--version").out


def test_an_unknown_command_is_wrong_usage(tfret):
    outcome = tfret("trian")
    assert outcome.code == 2
    assert "trian" in outcome.err
