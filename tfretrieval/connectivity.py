"""Whether something listens at an address, for libraries that would wait for it in silence."""

from __future__ import annotations

import socket


def why_unreached(address: str, seconds: float) -> str | None:
    """Why nothing can be reached at host:port within so many seconds; None where something listens."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=seconds).close()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None
