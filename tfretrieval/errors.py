"""The one exception that a user's mistake raises."""


class UserError(Exception):
    """Something the user can put right: its message is one line that says what was wrong and what would be right.

    The command line prints the message without a stack trace and exits with status 1.
    """
