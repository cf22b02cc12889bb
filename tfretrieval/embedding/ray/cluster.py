"""Connection to a Ray cluster, with one-line errors."""

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

from tfretrieval.connectivity import connection_error
from tfretrieval.errors import UserError, one_line, require
from tfretrieval.quiet import STDERR, silent

CONNECTION_TIMEOUT = 10.0
ENVIRONMENT = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_BACKEND_LOG_LEVEL": "fatal",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
}


def load_ray() -> Any:
    """Import `ray` with its logs and usage statistics turned off.

    Raises:
        UserError: Ray is not installed.
    """
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    require("ray.data", "ray")
    return require("ray", "ray")


@contextlib.contextmanager
def connected(address: str | None) -> Iterator[Any]:
    """Connect to Ray inside the block and yield the module; an existing connection is used and kept.

    Args:
        address: address of a cluster, as `ray.init` takes it; None starts Ray on this machine.

    Raises:
        UserError: the cluster cannot be reached, or Ray raises an error inside the block.
    """
    ray = load_ray()
    is_connected = ray.is_initialized()
    if not is_connected:
        _connect(ray, address)
    try:
        yield ray
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise UserError(f"Ray: {one_line(lines[-1] if lines else error, 300)}") from None
    finally:
        if not is_connected:
            ray.shutdown()


def cores_of_nodes(ray: Any) -> list[int]:
    """Number of CPUs of each node that has any.

    Raises:
        UserError: no node has a CPU.
    """
    counts = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    if not any(counts):
        raise UserError("the Ray cluster has no CPUs")
    return [count for count in counts if count]


def _connect(ray: Any, address: str | None) -> None:
    if address is not None:
        _check_connection(address)
    dashboard = False if address is None else None
    try:
        with silent(STDERR):
            ray.init(address=address, include_dashboard=dashboard, logging_level=logging.ERROR, log_to_driver=False)
    except Exception as error:
        raise UserError(f"cannot connect to Ray at {address or 'this machine'}: {one_line(error)}") from None
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


def _check_connection(address: str) -> None:
    """Raise an error if no server listens at host:port; Ray itself would wait for minutes."""
    host_and_port = address.rpartition("://")[2]
    has_port = host_and_port.rpartition(":")[2].isdigit()  # "auto" has none
    if has_port and (reason := connection_error(host_and_port, CONNECTION_TIMEOUT)):
        raise UserError(f"cannot connect to Ray at {address}: {reason}")
