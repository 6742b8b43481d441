"""Which workers Slurm started: what TF_CONFIG would say, from the environment that srun gives to each task."""

import re

FIRST_PORT, PORTS = 20_000, 10_000  # a job's number chooses among them, so that two jobs on a host do not meet


def cluster_of_slurm(environ):
    """{"cluster": {"worker": ["host:port", …]}, "task": …} of an srun step of several tasks; None outside of one."""
    if int(environ.get("SLURM_STEP_NUM_TASKS", 1)) < 2:
        return None
    hosts = expand_hosts(environ["SLURM_STEP_NODELIST"])
    counts = expand_counts(environ["SLURM_STEP_TASKS_PER_NODE"])
    first = FIRST_PORT + int(environ.get("SLURM_JOB_ID", 0)) * 16 % PORTS
    workers = [f"{host}:{first + i}" for host, count in zip(hosts, counts, strict=True) for i in range(count)]
    return {"cluster": {"worker": workers}, "task": {"type": "worker", "index": int(environ["SLURM_PROCID"])}}


def expand_hosts(text):
    """["a1", "a2", "b"] of "a[1-2],b"."""
    hosts = []
    for prefix, ranges in re.findall(r"([^,\[\]]+)(?:\[([^\]]+)\])?", text):
        for part in ranges.split(",") if ranges else [""]:
            low, _, high = part.partition("-")
            numbers = range(int(low), int(high or low) + 1) if part else [""]
            hosts += [f"{prefix}{str(n).zfill(len(low))}" for n in numbers]
    return hosts


def expand_counts(text):
    """[2, 2, 1] of "2(x2),1"."""
    parts = [re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part) for part in text.split(",")]
    return [int(part[1]) for part in parts for _ in range(int(part[2] or 1))]
