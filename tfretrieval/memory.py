"""Memory of this process."""

from __future__ import annotations

import sys


def peak_memory() -> int | None:
    """Largest resident set size of this process since its start, in bytes; None where the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
