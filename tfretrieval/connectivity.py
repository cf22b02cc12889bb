"""Check whether a server listens at an address, for libraries that would wait for it silently."""

import socket


def connection_error(address: str, timeout: float) -> str | None:
    """Why no connection to host:port is possible; None if a server listens there.

    Args:
        address: host:port, with an IPv6 host in brackets.
        timeout: seconds to wait.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=timeout).close()
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None
