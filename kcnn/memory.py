"""How much memory is free for this process: what the machine can still give, within the limits of its containers."""

import os
from pathlib import Path

# (folder of the hierarchy, its limit, what is used, in memory.stat what can be given back at once)
KINDS = {
    "": ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    "memory": ("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


def free_memory(root="/"):
    """Bytes: the least of what the machine says is available and what each control group around this process leaves.

    `root`: where proc and sys are mounted.
    """
    root = Path(root)
    return max(0, min([_of_machine(root), *_of_groups(root)]))


def _of_machine(root):
    available = _numbers(root / "proc/meminfo").get("MemAvailable:")
    return available * 1024 if available else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_groups(root):
    """What is left in each group, from the process's own to the outermost that is seen from here."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        kind = KINDS.get("memory" if "memory" in controllers.split(",") else controllers)
        if kind is None:
            continue
        own = Path(path.lstrip("/"))
        for group in (own, *own.parents):
            yield from _left(root / kind[0] / group, *kind[1:])


def _left(group, limit, usage, spare):
    most, used = _text(group / limit).strip(), _text(group / usage).strip()
    if most.isdigit() and used.isdigit():  # "max", or a group that is not seen from here
        yield int(most) - int(used) + _numbers(group / "memory.stat").get(spare, 0)


def _numbers(path):
    """{first word: the number after it} of the lines of a file."""
    rows = (line.split() for line in _text(path).splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def _text(path):
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""
