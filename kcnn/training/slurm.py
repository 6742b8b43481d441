"""Which workers Slurm started: what TF_CONFIG would say, from the environment that srun gives to each task."""

import itertools
import re

from kcnn.errors import UserError

FIRST_PORT, PORTS = 20_000, 10_000  # a step's numbers choose among them, so that two steps on a host do not meet
APART, BETWEEN_STEPS = 16, 101  # ports from one job to the next; jobs that a job's next step is away
OTHER_ORDERS = ("cyclic", "plane", "arbitrary")  # of tasks on nodes, in which a node's tasks are not in sequence


def cluster_of_slurm(environ):
    """{"cluster": {"worker": ["host:port", …]}, "task": …} of an srun step of several tasks; None outside of one.

    Raises `UserError` where what Slurm says does not tell which task runs on which node.
    """
    tasks = int(environ.get("SLURM_STEP_NUM_TASKS", 1))
    if tasks < 2:
        return None
    nodes, per_node = environ.get("SLURM_STEP_NODELIST", ""), environ.get("SLURM_STEP_TASKS_PER_NODE", "")
    hosts, counts = expand_hosts(nodes), expand_counts(per_node)
    if len(hosts) != len(counts) or sum(counts) != tasks:
        found = f"SLURM_STEP_NODELIST={nodes} and SLURM_STEP_TASKS_PER_NODE={per_node}"
        raise UserError(f"{found} must place the {tasks} tasks of this step, and do not; set TF_CONFIG in each instead")
    order = re.split("[:,=]", environ.get("SLURM_DISTRIBUTION", ""))[0]
    if order in OTHER_ORDERS and len(hosts) > 1 and max(counts) > 1:
        raise UserError(f"tasks must follow one another on a node, and srun's distribution is {order}: set it to block")
    job, step = (int(environ.get(name, 0)) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    first = FIRST_PORT + (job + BETWEEN_STEPS * step) * APART % PORTS
    workers = [f"{host}:{first + i}" for host, count in zip(hosts, counts, strict=True) for i in range(count)]
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": int(environ["SLURM_PROCID"])}}


def expand_hosts(text):
    """["a1-x", "a2-x", "b"] of "a[1-2]-x,b"."""
    hosts = []
    for name in re.findall(r"(?:[^,\[\]]|\[[^\]]*\])+", text):
        parts = re.findall(r"\[([^\]]*)\]|([^\[\]]+)", name)
        choices = [_numbers(ranges) if ranges else [letters] for ranges, letters in parts]
        hosts += map("".join, itertools.product(*choices))
    return hosts


def _numbers(ranges):
    """["08", "09", "12"] of "08-09,12"."""
    bounds = [part.partition("-") for part in ranges.split(",")]
    return [str(n).zfill(len(low)) for low, _, high in bounds for n in range(int(low), int(high or low) + 1)]


def expand_counts(text):
    """[2, 2, 1] of "2(x2),1"; [] of what is no such list."""
    parts = [re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part) for part in text.split(",")]
    return [int(part[1]) for part in parts for _ in range(int(part[2] or 1))] if all(parts) else []
