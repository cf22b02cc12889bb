"""Connections to Milvus databases."""

import contextlib
import logging
import logging.config
import logging.handlers
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfretrieval.errors import UserError, one_line, require

NOISY = ("pymilvus", "milvus_lite", "grpc")


def connect(uri: str, token_env: str | None, seconds: float) -> Any:
    """Connect to a database and return a `MilvusClient`.

    Args:
        uri: a path that ends in .db, for Milvus Lite in this process, or http(s)://host:port.
        token_env: environment variable that holds the token ("user:password" or an API key).
        seconds: timeout.

    Raises:
        UserError: pymilvus is not installed, the token's variable is not set, or the database cannot be reached.
    """
    token = _token(token_env)
    pymilvus = _pymilvus()
    with _lite_errors() as records:
        try:
            with one_line_errors(uri):
                if "://" not in uri:
                    Path(uri).resolve().parent.mkdir(parents=True, exist_ok=True)
                return pymilvus.MilvusClient(uri, token=token, timeout=seconds)
        except UserError as error:
            if reasons := [str(record.exc_info[1]) for record in records if record.exc_info and record.exc_info[1]]:
                raise UserError(f"Milvus Lite cannot open {uri}: {one_line(reasons[-1], 300)}") from None
            if token:
                raise UserError(f"{error}; or the token in {token_env} is not valid") from None
            raise


@contextlib.contextmanager
def one_line_errors(uri: str) -> Iterator[None]:
    """Turn the errors of the client inside the block into `UserError`."""
    import grpc
    import pymilvus

    try:
        yield
    except (pymilvus.MilvusException, grpc.RpcError, grpc.FutureTimeoutError, OSError) as error:
        reason = error.details() if isinstance(error, grpc.Call) else getattr(error, "message", "") or str(error)
        raise UserError(f"Milvus at {uri}: {one_line(reason or type(error).__name__, 300)}") from None


def check_address(uri: str, name: str) -> None:
    """Check the address of a database and the name of a collection.

    Raises:
        UserError: one of them is invalid.
    """
    if "@" in uri.partition("://")[2].partition("/")[0]:
        raise UserError("the address contains a password, which would be saved in files", "use --token-env")
    if not re.match(r"https?://[^/]" if "://" in uri else r".*\.db$", uri):
        raise UserError(f"{uri} is not a Milvus address", "give a path that ends in .db or http://host:19530")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,254}", name):
        raise UserError(f"{name!r} is not a collection name", "use letters, digits and underscores, no digit first")


def _token(token_env: str | None) -> str:
    if token_env is None:
        return ""
    token = os.environ.get(token_env, "")
    if not token:
        raise UserError(f"the environment variable {token_env} is not set", "set it to the token of the Milvus server")
    return token


def _pymilvus() -> Any:
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # prints warnings otherwise; nothing here forks without exec
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    with _unchanged_logging():
        pymilvus = require("pymilvus", "milvus")
    for name in (*NOISY, *logging.root.manager.loggerDict):
        if name.startswith(NOISY):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # they log every error they raise
    return pymilvus


@contextlib.contextmanager
def _unchanged_logging() -> Iterator[None]:
    """Keep pymilvus from configuring the logging of the process on import, which closes all handlers."""
    configure = logging.config.dictConfig
    logging.config.dictConfig = lambda config: None
    try:
        yield
    finally:
        logging.config.dictConfig = configure


@contextlib.contextmanager
def _lite_errors() -> Iterator[list[logging.LogRecord]]:
    """Collect the errors that Milvus Lite logs inside the block and its exceptions lack."""
    handler, log = logging.handlers.BufferingHandler(100), logging.getLogger("milvus_lite.server_manager")
    before = log.level, log.propagate
    log.setLevel(logging.ERROR)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield handler.buffer
    finally:
        log.removeHandler(handler)
        log.level, log.propagate = before
