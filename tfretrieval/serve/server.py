"""The server: a listening socket and uvicorn."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from collections.abc import Iterator, Sequence
from importlib import metadata
from typing import TYPE_CHECKING

from tfretrieval.errors import UserError

if TYPE_CHECKING:
    import uvicorn

    from tfretrieval.serve.service import Service

REQUIRED = ("fastapi", "uvicorn", "python-multipart", "prometheus-client")
SHUTDOWN_SECONDS = 10
BACKLOG = 2048
LOCAL = ("127.0.0.1", "localhost", "::1")
# the WebGL library of the map generates functions, which needs 'unsafe-eval'
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = [
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]


@contextlib.contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Bind a socket.

    Raises:
        UserError: a required package is not installed, or the address is not available.
    """
    _check_installed()
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)[0]
        bound = socket.socket(*address[:3])  # with the protocol set, asyncio disables Nagle's algorithm
    except OSError as error:
        raise UserError(f"cannot listen on {host}: {error.strerror}") from None
    with bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(address[4])
        except OSError as error:
            option = "--host" if error.errno == errno.EADDRNOTAVAIL else "--port"
            raise UserError(
                f"cannot listen on {host}, port {port}: {error.strerror}; choose another {option}"
            ) from None
        yield bound


def serve_forever(service: Service, bound: socket.socket, host: str) -> None:
    """Serve until SIGINT or SIGTERM; requests in progress have ten seconds to finish."""
    hosts = [host, *LOCAL, "[::1]"] if host in LOCAL else ["*"]
    bound.listen(BACKLOG)  # from here on, requests are queued
    port = bound.getsockname()[1]
    name = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    name = f"[{name}]" if ":" in name else name
    print(f"serving {service.collection.name} at http://{name}:{port} (press Ctrl-C to stop)", flush=True)
    with contextlib.suppress(KeyboardInterrupt):  # raised again by uvicorn after the shutdown
        create_server(service, hosts).run(sockets=[bound])


def create_server(service: Service, hosts: Sequence[str] = ("*",)) -> uvicorn.Server:
    """Create the server of an application, which adds security headers to every response.

    Args:
        service: the service behind the routes.
        hosts: accepted Host headers.
    """
    import uvicorn

    from tfretrieval.serve.app import create_app

    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns about every malformed body
    config = uvicorn.Config(
        create_app(service, hosts), log_level="warning", access_log=False, server_header=False, headers=HEADERS,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS, timeout_keep_alive=20, h11_max_incomplete_event_size=1 << 16,
    )  # fmt: skip
    return uvicorn.Server(config)


def _check_installed() -> None:
    for name in REQUIRED:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            raise UserError(f"{name} is not installed; run pip install 'tfretrieval[serve]'") from None
