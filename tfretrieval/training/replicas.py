"""Replicas of a network on one device, on all devices of a machine, or on the workers of a cluster.

Strategies of `tf.distribute` are used only for collectives. Variables are created outside of their scope and live on
one device, so that optimizers and checkpoints are independent of replicas, in Keras 2 and 3.
"""

import contextlib
import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from tfretrieval.data.pipelines import BatchShard
from tfretrieval.errors import UserError
from tfretrieval.training.cluster import STRATEGIES, Cluster, read_cluster, wait_for_workers

log = logging.getLogger(__name__)

WAIT_SECONDS = 600.0
FAILED = -1
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.InternalError)


class WorkerLost(UserError):
    """Another worker failed. TensorFlow cannot reconnect to it, so every worker must be restarted."""


class Replicas:
    """Replicas of a network that compute each batch together.

    Args:
        strategy: strategy of `tf.distribute`; None for one replica on the default device.
        cluster: the workers; None for this process alone.

    Attributes:
        count: number of replicas on all workers.
        is_chief: whether this process writes the run directory.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None = None, cluster: Cluster | None = None) -> None:
        self._strategy = strategy or tf.distribute.get_strategy()
        self._cluster = cluster
        self._devices = tuple(self._strategy.extended.worker_devices) if strategy is not None else ()
        self.count = int(self._strategy.num_replicas_in_sync)
        self.is_chief = cluster is None or cluster.is_chief
        self._from_chief = tf.function(self._sum_of_chief, autograph=False)

    @property
    def shards(self) -> list[BatchShard]:
        """Shards of a batch that this process computes."""
        n_local = max(1, len(self._devices))
        first = n_local * self._cluster.index if self._cluster else 0
        return [BatchShard(index, self.count) for index in range(first, first + n_local)]

    def clones(self, network: keras.Model) -> list[keras.Model]:
        """Copies of a network, with weights of their own, for all local devices but the first."""
        clones = []
        for device in self._devices[1:]:
            with tf.device(device):
                clone = keras.models.clone_model(network)
            clones.append(clone)
        return clones

    def run(self, function: Callable[[int, Any], Any], shards: Sequence[Any]) -> Any:
        """Call `function(replica, shard)` on each local replica and return the result of the first."""

        def on_replica() -> Any:
            replica = 0
            if len(self._devices) > 1:
                global_index = tf.distribute.get_replica_context().replica_id_in_sync_group
                replica = int(tf.get_static_value(global_index)) - self.shards[0].index
            return function(replica, shards[replica])

        results = self._strategy.run(on_replica)
        return tf.nest.map_structure(lambda value: self._strategy.experimental_local_results(value)[0], results)

    def all_gather(self, rows: tf.Tensor) -> tf.Tensor:
        """Concatenate the rows [n, ...] of all replicas, inside `run`; differentiable."""
        if self.count == 1:
            return rows
        rows = tf.identity(rows)  # collectives need a tensor on this replica's device
        return tf.distribute.get_replica_context().all_gather(rows, axis=0)

    def all_reduce_mean(self, tensors: list[tf.Tensor]) -> list[tf.Tensor]:
        """Mean of each tensor over all replicas, inside `run`."""
        if self.count == 1:
            return tensors
        means = [tf.convert_to_tensor(tensor) for tensor in tensors]
        all_reduce = tf.distribute.get_replica_context().all_reduce
        for dtype in sorted({tensor.dtype.name for tensor in means}):  # a collective packs tensors of one dtype
            indices = [index for index, tensor in enumerate(means) if tensor.dtype == dtype]
            reduced = all_reduce(tf.distribute.ReduceOp.MEAN, [means[index] for index in indices])
            for index, mean in zip(indices, reduced):
                means[index] = mean
        return means

    def broadcast(self, variables: list[Any]) -> None:
        """Assign the chief's values to the variables of every worker.

        Raises:
            WorkerLost: another worker failed.
        """
        if self._cluster is None:
            return
        with self.detecting_lost_workers():
            values = self._from_chief([tf.cast(tf.convert_to_tensor(variable), tf.float64) for variable in variables])
        for variable, value in zip(variables, values):
            variable.assign(tf.cast(value, variable.dtype))

    def on_chief(self, function: Callable[[], Any]) -> Any:
        """Call a function on the chief alone.

        Returns:
            The result on the chief; on other workers the result if it is an int, else 0.

        Raises:
            UserError: the function failed on the chief.
            WorkerLost: another worker failed.
        """
        if self._cluster is None:
            return function()
        result, number = None, tf.Variable(FAILED, dtype=tf.int64, trainable=False)
        try:
            if self.is_chief:
                result = function()
                number.assign(int(result) if isinstance(result, int) else 0)
        finally:
            self.broadcast([number])
        if number == FAILED:
            raise UserError(f"the chief {self._cluster.addresses[0]} failed; see its output")
        return result if self.is_chief else int(number)

    @contextlib.contextmanager
    def detecting_lost_workers(self) -> Iterator[None]:
        """Raise `WorkerLost` for the errors of TensorFlow inside the block that a lost worker causes."""
        try:
            yield
        except LOST as error:
            if self._cluster is None:
                raise
            log.debug("%s", error)
            raise WorkerLost(
                f"lost a worker ({' or '.join(self._cluster.other_workers)}); restart all workers with --resume"
            ) from None

    def _sum_of_chief(self, values: list[tf.Tensor]) -> list[tf.Tensor]:
        """The chief's values of float64 tensors: a sum to which all other replicas contribute zeros."""

        def on_replica(replica: int, values: list[tf.Tensor]) -> list[tf.Tensor]:
            contributes = self.is_chief and replica == 0
            values = [tf.identity(value) if contributes else tf.zeros_like(value) for value in values]
            return list(tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values))

        return self.run(on_replica, [values] * max(1, len(self._devices)))


def open_replicas(strategy: str = "none") -> Replicas:
    """The replicas of a strategy. "multi-worker" must be opened before TensorFlow computes anything.

    Args:
        strategy: "none"; "mirrored" for all GPUs of this machine; "multi-worker" for the workers in TF_CONFIG.

    Raises:
        UserError: the strategy is unknown, TF_CONFIG is invalid, the port is in use, or a worker does not start within
            ten minutes.
    """
    if strategy == "none":
        return Replicas()
    if strategy == "mirrored":
        devices = [device.name for device in tf.config.list_logical_devices("GPU")]
        devices = devices or [device.name for device in tf.config.list_logical_devices("CPU")]
        if len(devices) == 1:
            log.info("--strategy mirrored: only one device, %s", devices[0].removeprefix("/device:"))
        return Replicas(tf.distribute.MirroredStrategy(devices))
    if strategy == "multi-worker":
        cluster = read_cluster()
        return Replicas(_connect(cluster), cluster)
    raise UserError(f"unknown strategy {strategy!r}; use one of {', '.join(STRATEGIES)}")


def _connect(cluster: Cluster) -> tf.distribute.Strategy:
    others = ", ".join(cluster.other_workers) or "none"
    log.info("worker %d of %d: waiting for %s", cluster.index, len(cluster.addresses), others)
    wait_for_workers(cluster, WAIT_SECONDS)
    try:
        with _default_signals():
            return tf.distribute.MultiWorkerMirroredStrategy()
    except LOST as error:
        raise WorkerLost(f"cannot connect to the other workers: {str(error).splitlines()[0][:200]}") from None
    except RuntimeError:
        raise UserError("multi-worker must be opened before TensorFlow computes anything in this process") from None


@contextlib.contextmanager
def _default_signals() -> Iterator[None]:
    """Let Ctrl-C, and an alarm after ten minutes, end the process inside the block.

    TensorFlow connects while holding Python's lock, and blocks if another program listens at a worker's address.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "alarm"):
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGALRM)}
    for number in handlers:
        signal.signal(number, signal.SIG_DFL)
    signal.alarm(int(WAIT_SECONDS))
    try:
        yield
    finally:
        signal.alarm(0)
        for number, handler in handlers.items():
            signal.signal(number, handler)
