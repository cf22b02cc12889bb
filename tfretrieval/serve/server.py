"""The server: a socket, and uvicorn on it until somebody ends it."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Iterator
from importlib import metadata
from typing import TYPE_CHECKING

from tfretrieval.errors import UserError

if TYPE_CHECKING:
    from tfretrieval.serve.service import Service

NEEDED = ("fastapi", "uvicorn", "python-multipart", "prometheus-client")
SECONDS_TO_FINISH = 10
BACKLOG = 2048
LOCAL = ("127.0.0.1", "localhost", "::1")


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens.

    Raises:
        UserError: what serves is not installed, or the address cannot be had.
    """
    _check_installed()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)[0]
        bound = socket.socket(*found[:3])  # asyncio sends at once on what is TCP by name, else it waits for 40 ms
    except OSError as error:
        raise UserError(f"cannot listen at {host}: {error.strerror}") from None
    with bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(found[4])
        except OSError as error:
            other = "--host" if error.errno == errno.EADDRNOTAVAIL else "--port"
            raise UserError(f"cannot listen at {host}, port {port}: {error.strerror}; give another {other}") from None
        yield bound


def serve_forever(service: Service, bound: socket.socket, host: str) -> None:
    """Serve until SIGINT or SIGTERM; requests under way are answered first, for ten seconds at most."""
    import uvicorn

    from tfretrieval.serve.app import create_app

    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of every body that it cannot read
    own = [host, *LOCAL, "[::1]"] if host in LOCAL else ["*"]
    bound.listen(BACKLOG)  # from here on a request is answered, if not at once
    port = bound.getsockname()[1]
    config = uvicorn.Config(
        create_app(service, own), log_level="warning", access_log=False, server_header=False,
        timeout_graceful_shutdown=SECONDS_TO_FINISH, timeout_keep_alive=20, h11_max_incomplete_event_size=1 << 16,
    )  # fmt: skip
    shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    place = f"[{shown}]" if ":" in shown else shown
    print(f"{service.collection.name} is at http://{place}:{port} (Ctrl-C ends it)", flush=True)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises it again once it has ended
        uvicorn.Server(config).run(sockets=[bound])


def _check_installed() -> None:
    for name in NEEDED:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            raise UserError(f"{name} is not installed; use pip install 'tfretrieval[serve]'") from None
