"""Describe the machine and the software that a measurement ran on."""

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Dict, Iterable

import numpy

PACKAGES = (
    *("spacy-distill", "spacy", "thinc", "numpy", "blis"),
    *("spacy-transformers", "transformers", "tokenizers", "torch", "onnx", "onnxruntime"),
)


def describe_machine() -> Dict[str, Any]:
    """Return the processor, its cores, the load, and the versions of the software that computes.

    RETURNS (Dict[str, Any]): `load` is the mean number of running processes during the last minute,
        hence before the measurement.
    """
    config: Any = numpy.show_config(mode="dicts")
    blas = config["Build Dependencies"]["blas"]
    return {
        "cpu": find_cpu(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "blas": f"{blas['name']} {blas['version']}",
        "packages": find_versions(PACKAGES),
    }


def find_cpu() -> str:
    """Return the name of the processor."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def find_versions(names: Iterable[str]) -> Dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
