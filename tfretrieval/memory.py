"""How much memory this process has had in RAM, as Linux counts it."""

from __future__ import annotations

import re
from pathlib import Path

CLEAR_PEAK = "5"  # proc(5), /proc/pid/clear_refs


class PeakMemory:
    """Watches the most memory that this process has in RAM from now on.

    What was in RAM before stays in the figure as long as it is there.
    """

    def __init__(self) -> None:
        try:
            Path("/proc/self/clear_refs").write_text(CLEAR_PEAK, encoding="ascii")
            self._watches = True
        except OSError:
            self._watches = False

    def bytes(self) -> int | None:
        """The most since it was made; None where the system does not tell."""
        if not self._watches:
            return None
        try:
            found = re.search(
                r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE
            )
        except OSError:
            return None
        return int(found[1]) * 1024 if found else None
