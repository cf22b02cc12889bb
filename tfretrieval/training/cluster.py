"""The workers of a distributed training, as TF_CONFIG names them.

Source: the format that `tf.distribute` reads, https://www.tensorflow.org/guide/distributed_training.
"""

import json
import os
import socket
import time
from dataclasses import dataclass

from tfretrieval.connectivity import connection_error
from tfretrieval.errors import UserError

EXAMPLE = '{"cluster": {"worker": ["host0:2222", "host1:2222"]}, "task": {"type": "worker", "index": 0}}'
STRATEGIES = ("none", "mirrored", "multi-worker")


@dataclass(frozen=True)
class Cluster:
    """The workers of a training run, and which of them this process is.

    Attributes:
        addresses: host:port of each worker; the first is the chief.
        index: index of this worker.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this worker is the chief, which alone writes the run."""
        return self.index == 0

    @property
    def other_workers(self) -> list[str]:
        """Addresses of the other workers."""
        return [address for index, address in enumerate(self.addresses) if index != self.index]


def read_cluster() -> Cluster:
    """The cluster in the environment variable TF_CONFIG.

    Raises:
        UserError: TF_CONFIG is not set or invalid.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        raise UserError(f"--strategy multi-worker needs TF_CONFIG in the environment of each worker, such as {EXAMPLE}")
    try:
        content = json.loads(text)
        jobs, task = content["cluster"], content["task"]
        addresses = tuple(address for job in ("chief", "worker") for address in jobs.get(job, ()))
        index = addresses.index(jobs[task["type"]][int(task["index"])])
        ports = [int(address.rpartition(":")[2]) for address in addresses]
    except (ValueError, LookupError, TypeError, AttributeError):
        raise UserError(f"TF_CONFIG must be of the form {EXAMPLE}, and its task one of its workers") from None
    if len(set(addresses)) < len(addresses) or not all(0 < port < 65536 for port in ports):
        raise UserError("addresses in TF_CONFIG must be distinct, with ports between 1 and 65535")
    if len(jobs.get("chief", ())) > 1:
        raise UserError("TF_CONFIG has more than one chief")
    return Cluster(addresses, index)


def wait_for_workers(cluster: Cluster, seconds: float) -> None:
    """Wait until every other worker listens at its address, while listening at this worker's own.

    TensorFlow itself waits for an hour and ignores Ctrl-C.

    Raises:
        UserError: this worker's port is in use, or a worker does not start in time.
    """
    deadline = time.monotonic() + seconds
    port = int(cluster.addresses[cluster.index].rpartition(":")[2])
    try:
        listener = socket.create_server(("", port))
    except OSError as error:
        raise UserError(f"this worker cannot listen on port {port}: {error.strerror}") from None
    with listener:
        missing = cluster.other_workers
        while missing := [address for address in missing if connection_error(address, 2)]:
            if time.monotonic() > deadline:
                raise UserError(f"no worker at {', '.join(missing)} after {seconds:.0f} s")
            time.sleep(0.2)
