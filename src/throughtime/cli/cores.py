"""How many threads a command takes when nobody says."""

import os


def cores() -> int:
    """The cores that this process may use; of several that `torchrun` started on a machine, each has its share."""
    own = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    beside = os.environ.get("LOCAL_WORLD_SIZE", "1")
    return max(1, own // (int(beside) if beside.isdecimal() and int(beside) else 1))
