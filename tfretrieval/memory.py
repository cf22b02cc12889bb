"""Memory of this process."""

import sys


def peak_memory() -> int | None:
    """Largest resident set size of this process in bytes; None where the system does not report it.

    It covers the time since the process started. On Linux it is at least the resident set size of the process that
    started it, which a program inherits.
    """
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
