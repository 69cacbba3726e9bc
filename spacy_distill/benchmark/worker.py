"""The process of one system: a request is a line of JSON, and so is its answer.

It is run as `python -m spacy_distill.benchmark.worker` with its threads in the environment, and
ends when its input does. It imports nothing before it is told what to load, to time that, too.
"""

import json
import os
import sys
from importlib import import_module
from time import perf_counter, process_time
from typing import Any, Dict, List, Sequence

from .memory import peak_memory


def main() -> None:
    """Answer requests. What fails ends the process, with a traceback for the other side."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    # Answers alone go to stdout: whatever a library prints must not come between them.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    served = Served()
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(served, request.pop("do"))(**request)
        print(json.dumps({**answer, "peak_memory_bytes": peak_memory()}), file=answers, flush=True)


class Served:
    """The system of this process, and the texts that it reads. Each method is a request."""

    def __init__(self) -> None:
        self.runner: Any = None
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
        loader (str): "module:function" within this package: gives a Runner.
        settings (Dict[str, Any]): Arguments of that.
        hidden (Sequence[str]): Packages that are to look as if they were not installed.
        threads (int): Threads that compute.
        """
        with open(corpus, encoding="utf-8") as file:
            self.texts = json.load(file)
        module, _, function = loader.partition(":")
        hide_packages(hidden)
        start = perf_counter()
        imported = import_all(module)
        set_threads(threads)
        loaded = perf_counter()
        self.runner = getattr(imported, function)(**settings)
        return {
            "import_seconds": loaded - start,
            "load_seconds": perf_counter() - loaded,
            "n_parameters": self.runner.n_parameters,
            "n_bytes": self.runner.n_bytes,
            "has_cache": self.runner.clear_cache is not None,
        }

    def run(
        self, *, texts: Sequence[int], batch_size: int, passes: int = 1, cold: bool = False
    ) -> Dict[str, Any]:
        """Time some passes over texts of the corpus; `cold`: with nothing kept from before."""
        chosen = [self.texts[i] for i in texts]
        if cold:
            self.runner.clear_cache()
        start, cpu_start = perf_counter(), process_time()
        for _ in range(passes):
            self.runner.run(chosen, batch_size)
        cpu_seconds = process_time() - cpu_start
        return {"seconds": perf_counter() - start, "cpu_seconds": cpu_seconds}

    def roofline(self, *, texts: Sequence[int], batch_size: int, repeats: int) -> Dict[str, Any]:
        """Time a student beside the matrix products that it can't do without."""
        roofline = import_module(".roofline", __package__)
        chosen = [self.texts[i] for i in texts]
        found = roofline.measure(
            self.runner.nlp, chosen, batch_size=batch_size, repeats=repeats, run=self.runner.run
        )
        return {"roofline": found}

    def count_cut(self) -> Dict[str, Any]:
        """Count the texts of the corpus that the system cuts, for they are too long for it."""
        count = self.runner.count_cut
        return {"cut": 0 if count is None else count(self.texts)}

    def export(self, **settings: Any) -> Dict[str, Any]:
        """Call `export_teacher`."""
        return import_module(".export", __package__).export_teacher(**settings)


def import_all(name: str) -> Any:
    """Import a module of this package, and all that a spaCy pipeline imports, if it is of one."""
    module = import_module(f".{name}", __package__)
    if "spacy" in sys.modules:
        sys.modules["spacy"].blank("xx")  # imports the factories of all packages
    return module


def hide_packages(names: Sequence[str]) -> None:
    """Let packages look as if they were not installed.

    thinc imports torch wherever it finds it, and spaCy the factories of whatever is installed: a
    student would show the memory of packages that it does not need.
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
    """Limit PyTorch. All other libraries read the environment."""
    if sys.modules.get("torch") is not None:
        sys.modules["torch"].set_num_threads(threads)


if __name__ == "__main__":
    main()
