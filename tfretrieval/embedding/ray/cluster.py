"""The connection to a Ray, with errors in one line."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

from tfretrieval.connectivity import why_unreached
from tfretrieval.errors import UserError
from tfretrieval.quiet import silent_stderr

SECONDS_TO_ANSWER = 10.0


def load_ray() -> Any:
    """The module `ray`, told to be quiet.

    Raises:
        UserError: it is not installed.
    """
    for name, value in (
        ("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"),
        ("RAY_BACKEND_LOG_LEVEL", "fatal"),
        ("RAY_USAGE_STATS_ENABLED", "0"),
        ("RAY_DATA_DISABLE_PROGRESS_BARS", "1"),
    ):
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ImportError:
        raise UserError("the engine ray is not installed; use pip install 'tfretrieval[ray]'") from None
    return ray


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Ray, connected; what was connected or started here ends with the block.

    Args:
        address: of a cluster, as `ray.init` takes it; None starts a Ray on this machine.

    Raises:
        UserError: it cannot be reached, or what Ray raises inside the block.
    """
    ray = load_ray()
    if ray.is_initialized():
        with _one_line_errors(ray):
            yield ray
        return
    if address is not None:
        _knock(address)
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if address is None:
        options |= {"include_dashboard": False}
    try:
        with silent_stderr():
            ray.init(address=address, **options)
    except Exception as error:
        where = address or "this machine"
        raise UserError(f"cannot reach Ray at {where}: {' '.join(str(error).split())[:200]}") from None
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        with _one_line_errors(ray):
            yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Refuse an address where nothing listens, for which Ray itself would wait many minutes."""
    place = address.rpartition("://")[2]
    if place.rpartition(":")[2].isdigit() and (reason := why_unreached(place, SECONDS_TO_ANSWER)):  # not of auto
        raise UserError(f"cannot reach Ray at {address}: {reason}")


@contextlib.contextmanager
def _one_line_errors(ray: Any) -> Iterator[None]:
    try:
        yield
    except ray.exceptions.RayError as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise UserError(f"Ray: {lines[-1][:300] if lines else type(error).__name__}") from None


def cores_of_nodes(ray: Any) -> list[int]:
    """How many CPUs each node has that has some.

    Raises:
        UserError: none has.
    """
    counts = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    if not any(counts):
        raise UserError("the Ray cluster has no CPUs")
    return [count for count in counts if count]
