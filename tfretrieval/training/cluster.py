"""The workers of a training, as the environment variable TF_CONFIG names them.

Source: the form that `tf.distribute` reads, https://www.tensorflow.org/guide/distributed_training.
"""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import dataclass

from tfretrieval.connectivity import why_unreached
from tfretrieval.errors import UserError

EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
STRATEGIES = ("none", "mirrored", "multi-worker")
KINDS = ("chief", "worker")


@dataclass(frozen=True)
class Cluster:
    """All workers, and which of them this process is.

    Attributes:
        addresses: host:port of each; the first is the chief, which alone writes.
        index: this one's place.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    @property
    def others(self) -> list[str]:
        return [address for place, address in enumerate(self.addresses) if place != self.index]


def read_cluster() -> Cluster:
    """The cluster that TF_CONFIG names.

    Raises:
        UserError: it is not set, or does not name workers and a task among them.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        raise UserError(f"--strategy multi-worker needs TF_CONFIG in each worker's environment, such as {EXAMPLE}")
    try:
        named = json.loads(text)
        jobs, task = named["cluster"], named["task"]
        kind, index = task["type"], int(task["index"])
        counts = {name: len(addresses) for name, addresses in jobs.items()}
        addresses = tuple(address for name in KINDS for address in jobs.get(name, ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(f"TF_CONFIG is not of the form {EXAMPLE}") from None
    if unknown := sorted(set(jobs) - set(KINDS)):
        raise UserError(f"TF_CONFIG names the job {unknown[0]!r}; there may be one chief and workers")
    if counts.get("chief", 0) > 1:
        raise UserError("TF_CONFIG names more than one chief")
    if not all(isinstance(address, str) and address.rpartition(":")[2].isdigit() for address in addresses):
        raise UserError("an address in TF_CONFIG is not of the form host:port")
    if any(not 0 < int(address.rpartition(":")[2]) < 65536 for address in addresses):
        raise UserError("a port in TF_CONFIG is not between 1 and 65535")
    if len(set(addresses)) < len(addresses):
        raise UserError("TF_CONFIG names an address twice")
    if not 0 <= index < counts.get(kind, 0):
        raise UserError(f"TF_CONFIG says that this is {kind} {index}, which its cluster does not have")
    return Cluster(addresses, index + (counts.get("chief", 0) if kind == "worker" else 0))


def wait_for_others(cluster: Cluster, seconds: float) -> None:
    """Return when something listens at each worker's address; this process does so at its own meanwhile.

    TensorFlow itself waits for an hour and hears no Ctrl-C.

    Raises:
        UserError: this worker's port is taken, or a worker did not come in so many seconds.
    """
    deadline = time.monotonic() + seconds
    port = int(cluster.addresses[cluster.index].rpartition(":")[2])
    with _listening(port):
        missing = cluster.others
        while missing := [address for address in missing if why_unreached(address, 2)]:
            if time.monotonic() > deadline:
                raise UserError(f"no worker came at {', '.join(missing)} within {seconds:.0f} s")
            time.sleep(0.2)


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("", port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise UserError(f"this worker cannot listen on port {port}: {error.strerror}") from None
    return listener
