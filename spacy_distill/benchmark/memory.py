"""The peak memory of a process."""

import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes; 0 if the system does not record
    it."""
    status = Path("/proc/self/status")
    if status.exists():
        # Linux's ru_maxrss would include the memory of the process that started this one.
        lines = status.read_text(encoding="utf-8").splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    if sys.platform == "win32":
        return 0
    import resource

    found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return found if sys.platform == "darwin" else found * 1024
