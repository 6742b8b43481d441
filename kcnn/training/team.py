"""The team of a training: the replicas of its network, on the devices of this process or of several workers.

A worker is a process; the first one is the chief, and alone writes. All see the same run folder, and take the same
steps in the same order: what one of them must know of another goes through the sums of a step, or through `add`.
"""

import functools
import json
import logging
import os
import re
from contextlib import contextmanager

import numpy as np
import tensorflow as tf

from kcnn.errors import LostWorker, UserError
from kcnn.training.slurm import cluster_of_slurm

log = logging.getLogger(__name__)
CLUSTER = "TF_CONFIG"  # the environment variable in which TensorFlow expects {"cluster", "task"}
LOCAL = "127.0.0.1"  # the host of workers that one command starts on this machine
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError, tf.errors.CancelledError)
LOST += (tf.errors.FailedPreconditionError, tf.errors.InternalError)
MOST_BYTES = 4096  # of a text that the chief tells


def team_of(runtime):
    """The `Team` of a recipe's [runtime] in this process; to be called before TensorFlow's first operation.

    auto: the workers that TF_CONFIG or Slurm name, else all GPUs of this machine, else one device.
    """
    kind = runtime.strategy
    if len(_cluster()) < 2 and (found := cluster_of_slurm(os.environ)):
        os.environ[CLUSTER] = json.dumps(found)
    if kind not in ("auto", "multi_worker") and (others := len(_cluster())) > 1:
        rule = "each of which would train a run of its own: set it to auto, or start one process alone"
        raise UserError(f"runtime.strategy is {kind} and there are {others} workers, {rule}")
    if kind == "auto":
        gpus = tf.config.list_physical_devices("GPU")
        kind = "multi_worker" if len(_cluster()) > 1 else "mirrored" if len(gpus) > 1 else "none"
    team = Team(_strategy(kind))
    if not team.is_chief:
        logging.getLogger("kcnn").setLevel(logging.ERROR)  # the chief says it
    return team


@functools.cache  # one a process: collectives of a second one would be taken for those of the first
def _strategy(kind):
    if kind == "none":
        return tf.distribute.get_strategy()
    if kind == "multi_worker":
        if len(_cluster()) < 2:
            way = "start every worker with TF_CONFIG or by srun, or all of them here with --workers N"
            raise UserError(f"runtime.strategy is multi_worker and there is no other worker: {way}")
        try:
            return tf.distribute.MultiWorkerMirroredStrategy()
        except RuntimeError as error:
            raise UserError(f"workers join before TensorFlow computes; start a fresh process: {error}") from None
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise UserError("runtime.strategy is mirrored and there is one device: set it to auto")
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def _cluster():
    """[(job, index)] of all workers that TF_CONFIG names, the chief first."""
    try:
        cluster = json.loads(os.environ.get(CLUSTER) or "{}").get("cluster", {})
        members = [(job, i) for job in ("chief", "worker") for i in range(len(cluster.get(job, ())))]
    except (ValueError, AttributeError, TypeError):
        raise UserError(f'{CLUSTER} must be JSON: {{"cluster": {{"worker": ["host:port", …]}}, "task": …}}') from None
    if "ps" in cluster:
        raise UserError(f"{CLUSTER} names parameter servers, for which Keras 3 has no code: use workers alone")
    return members


def place():
    """(number of this worker, number of workers) by TF_CONFIG; (0, 1) without one."""
    members = _cluster()
    if len(members) < 2:
        return 0, 1
    task = json.loads(os.environ[CLUSTER]).get("task", {})
    own = task.get("type"), task.get("index")
    if own not in members:
        raise UserError(f"{CLUSTER} must say in its task which of the {len(members)} workers this one is")
    return members.index(own), len(members)


def workers_here():
    """How many workers of the cluster run on the machine of this one; 1 without a cluster."""
    own, count = place()
    hosts = _hosts() if count > 1 else ["here"]
    return hosts.count(hosts[own])


def _hosts():
    """The machine of each worker, the chief's first."""
    cluster = json.loads(os.environ[CLUSTER])["cluster"]
    return [address.rpartition(":")[0] for job in ("chief", "worker") for address in cluster.get(job, ())]


def resume_words(run):
    """The command that goes on with the `run` folder, on as many workers of this machine as there are now."""
    _, count = place()
    return f"kcnn resume {run}" + (f" --workers {count}" if count > 1 and set(_hosts()) == {LOCAL} else "")


class Team:
    """All replicas under a `tf.distribute.Strategy`; without one, the one replica of this process.

    `shard` is (number of this worker, number of workers), `size` (number of replicas, number of workers).
    """

    def __init__(self, strategy=None):
        self.strategy = strategy or tf.distribute.get_strategy()
        self.replicas = self.strategy.num_replicas_in_sync
        self.shard = self.worker, self.workers = place() if self.strategy.cluster_resolver else (0, 1)
        self.is_chief = self.worker == 0
        self.size = self.replicas, self.workers
        self._sum = tf.function(self._summed, autograph=False)

    def scope(self):
        """The context in which variables are made, one copy a replica."""
        return self.strategy.scope()

    def check(self, train):
        """Raises `UserError` if a recipe's [train] cannot be divided among the replicas."""
        if self.replicas > 1 and train.accumulate > 1:
            raise UserError("train.accumulate is for one replica: several hold a part of the batch each already; set 1")
        if train.batch_size % self.replicas:
            fits = max(1, round(train.batch_size / self.replicas)) * self.replicas
            rule = f"must divide by the {self.replicas} replicas, over which it is spread"
            raise UserError(f"train.batch_size {train.batch_size} {rule}: set {fits}")

    def add(self, numbers):
        """The sum over the workers of an array of numbers; waits for all of them."""
        if self.workers == 1:
            return np.asarray(numbers)
        summed = self._sum(tf.constant(numbers, tf.float64))
        return self.strategy.experimental_local_results(summed)[0].numpy() * self.workers / self.replicas

    def meet(self):
        """Wait until all workers are here."""
        self.add([0.0])

    def tell(self, text):
        """The chief's `text`, on every worker."""
        if self.workers == 1:
            return text
        own = np.frombuffer(text.encode()[:MOST_BYTES].ljust(MOST_BYTES), np.uint8)
        told = self.add(own if self.is_chief else np.zeros_like(own))
        return told.astype(np.uint8).tobytes().decode(errors="ignore").rstrip()

    @contextmanager
    def together(self, run=None):
        """Within the block the loss of a worker is a `LostWorker` that says how to go on.

        run: the path of the run that is there to go on with; None before there is one.
        """
        try:
            yield
        except LOST as error:
            if self.workers == 1:
                raise
            named = dict.fromkeys(re.findall(r"task[:_/](\d+)", str(error)))  # who reports it may be among them
            others = [number for number in named if int(number) != self.worker]
            who = f"worker {' or '.join(others)}" if others else "a worker"
            log.debug("%s", error)
            way = f" with `{resume_words(run)}`" if run else ", once what it said is mended: nothing is trained yet"
            raise LostWorker(f"{who} is gone; start all workers again{way}") from error

    def _summed(self, numbers):
        def add(x):
            context = tf.distribute.get_replica_context()
            return context.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(x))  # which is on this replica's device

        return self.strategy.run(add, (numbers,))
