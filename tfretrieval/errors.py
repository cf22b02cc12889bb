"""The one exception that a user's mistake raises."""


class UserError(Exception):
    """Something the user can put right: its message is one line that says what was wrong and what would be right.

    The command line prints the message without a stack trace and exits with status 1.
    """


def in_one_line(text: str) -> str:
    r"""Text with escapes for line ends and whatever else a terminal would not print as it stands.

    >>> in_one_line("a\nb")
    'a\\nb'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)
