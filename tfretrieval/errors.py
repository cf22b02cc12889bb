"""The exception raised for a user's mistake."""

import importlib
from types import ModuleType


class UserError(Exception):
    """A mistake that the user can correct.

    The command line prints the message without a stack trace and exits with status 1.

    Args:
        problem: one line that says what is wrong, and in which file or option.
        remedy: what to do about it.

    Attributes:
        problem: the first argument.
        remedy: the second argument; "" if there is none.

    >>> str(UserError("the gallery is empty", "add images to it"))
    'the gallery is empty; add images to it'
    """

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(f"{problem}; {remedy}" if remedy else problem)
        self.problem = problem
        self.remedy = remedy


def require(module: str, extra: str) -> ModuleType:
    """Import a module of an optional dependency.

    Args:
        module: name of the module.
        extra: extra of this package that installs it.

    Raises:
        UserError: the module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise UserError(f"{package} is not installed", f"use pip install 'tfretrieval[{extra}]'") from None


def in_one_line(text: str) -> str:
    r"""Escape line ends and other characters that a terminal does not print.

    >>> in_one_line("a\nb")
    'a\\nb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def one_line(error: object, limit: int = 200) -> str:
    r"""The message of an error in one line of at most `limit` characters; the name of its class if it has none.

    >>> one_line(ValueError("first\n  second")), one_line(KeyError())
    ('first second', 'KeyError')
    """
    return (" ".join(str(error).split()) or type(error).__name__)[:limit]
