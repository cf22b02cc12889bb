"""What is told of files that cannot be decoded."""

from __future__ import annotations

import logging

from tfretrieval.errors import UserError, in_one_line

log = logging.getLogger(__name__)


def report_broken(broken: dict[str, str], on_error: str, everything: bool) -> None:
    """Warn of each broken file, {path: reason}, where `on_error` is "skip".

    Raises:
        UserError: `on_error` is "fail", or `everything` is broken.
    """
    listed = [f"{in_one_line(path)} ({reason})" for path, reason in broken.items()]
    if on_error == "skip" and not everything:
        for line in listed:
            log.warning("skipped %s", line)
        return
    more = f", and {len(listed) - 3} more" if len(listed) > 3 else ""
    hint = "" if everything else "; --on-error skip goes on without them"
    raise UserError(f"cannot decode {'; '.join(listed[:3])}{more}{hint}")
