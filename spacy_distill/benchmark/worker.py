"""The process of one system. Each request is a line of JSON, and so is each answer.

It is run as `python -m spacy_distill.benchmark.worker`, with the number of threads in the
environment, and exits at the end of its input. Heavy imports come with the request to load the
system, so that they can be timed, too.
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, Dict, List, Sequence


def main() -> None:
    """Answer requests. An error ends the process, and its traceback goes to stderr."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    # Only answers go to the original stdout. What libraries print goes to stderr instead.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    served = Served()
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(served, request.pop("do"))(**request)
        print(json.dumps({**answer, "peak_memory_bytes": peak_memory()}), file=answers, flush=True)


class Served:
    """The system of this process and the texts that it reads. Each method answers a request."""

    def __init__(self) -> None:
        self.loaded: Any = None
        self.texts: List[str] = []

    def load(
        self,
        *,
        corpus: str,
        loader: str,
        settings: Dict[str, Any],
        hidden: Sequence[str],
        threads: int,
    ) -> Dict[str, Any]:
        """Load the system.

        corpus (str): Path of a JSON list of texts.
        loader (str): "module:function" within this package; the function returns a Loaded.
        settings (Dict[str, Any]): The arguments of that function.
        hidden (Sequence[str]): Packages to hide as if they were not installed.
        threads (int): Number of threads to compute with.
        RETURNS (Dict[str, Any]): `import_seconds`, `load_seconds`, `n_parameters`, `n_bytes` (on
            disk) and `has_cache` (whether the system has a cache of words).
        """
        with open(corpus, encoding="utf-8") as file:
            self.texts = json.load(file)
        module, _, function = loader.partition(":")
        hide_packages(hidden)
        start = perf_counter()
        imported = import_all(module)
        set_threads(threads)
        ready = perf_counter()
        self.loaded = getattr(imported, function)(**settings)
        return {
            "import_seconds": ready - start,
            "load_seconds": perf_counter() - ready,
            "n_parameters": self.loaded.n_parameters,
            "n_bytes": self.loaded.n_bytes,
            "has_cache": self.loaded.clear_cache is not None,
        }

    def run(
        self, *, texts: Sequence[int], batch_size: int, passes: int = 1, cold: bool = False
    ) -> Dict[str, Any]:
        """Time passes over texts of the corpus; with `cold`, from a cold cache of words."""
        chosen = [self.texts[i] for i in texts]
        if cold:
            self.loaded.clear_cache()
        start, cpu_start = perf_counter(), process_time()
        for _ in range(passes):
            self.loaded.run(chosen, batch_size)
        cpu_seconds = process_time() - cpu_start
        return {"seconds": perf_counter() - start, "cpu_seconds": cpu_seconds}

    def roofline(self, *, texts: Sequence[int], batch_size: int, repeats: int) -> Dict[str, Any]:
        """Time a student and its matrix products alone."""
        roofline = import_module(".roofline", __package__)
        chosen = [self.texts[i] for i in texts]
        found = roofline.measure(
            self.loaded.nlp, chosen, batch_size=batch_size, repeats=repeats, run=self.loaded.run
        )
        return {"roofline": found}

    def count_cut(self) -> Dict[str, Any]:
        """Count the texts of the corpus that the system truncates because they are too long."""
        count = self.loaded.count_cut
        return {"cut": 0 if count is None else count(self.texts)}

    def export(self, **settings: Any) -> Dict[str, Any]:
        """Call `export_teacher`."""
        return import_module(".export", __package__).export_teacher(**settings)


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


def import_all(name: str) -> Any:
    """Import a module of this package and, if it imports spaCy, everything that a pipeline
    imports."""
    module = import_module(f".{name}", __package__)
    if "spacy" in sys.modules:
        sys.modules["spacy"].blank("xx")  # imports the factories of all packages
    return module


def hide_packages(names: Sequence[str]) -> None:
    """Hide packages as if they were not installed.

    thinc imports torch if it is installed, and spaCy imports the factories of all installed
    packages. The memory of a student would include packages that it does not need.
    """
    if not names:
        return
    from importlib.metadata import EntryPoints, distributions

    import catalogue

    for name in names:
        sys.modules[name] = None  # type: ignore[assignment]
    catalogue.AVAILABLE_ENTRY_POINTS = EntryPoints(
        point
        for distribution in distributions()
        for point in distribution.entry_points
        if point.value.partition(":")[0].partition(".")[0] not in names
    )


def set_threads(threads: int) -> None:
    """Set the number of threads of PyTorch. All other libraries read it from the environment."""
    if sys.modules.get("torch") is not None:
        sys.modules["torch"].set_num_threads(threads)


if __name__ == "__main__":
    main()
