"""Words/s of annotation: in this process, in others, and on a Ray cluster begun on this machine.

In a project whose teacher is trained, with the extra `ray`:

    OMP_NUM_THREADS=1 python benchmarks/annotate_ray.py

The time runs from when one teacher is loaded, so the others' loading is part of it: the more there
is to annotate, the less it matters. All must write the same bytes.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Dict

import typer

from spacy_distill.annotate.engines import Engine, Processes, ThisProcess
from spacy_distill.annotate.job import Job
from spacy_distill.annotate.ray_cluster import RayCluster
from spacy_distill.annotate.run import annotate_source
from spacy_distill.files import digest
from spacy_distill.manifest import MANIFEST


def measure(
    teacher: Annotated[str, typer.Argument(help="The trained teacher")] = (
        "training/teacher/model-best"
    ),
    data: Annotated[Path, typer.Argument(help="What it reads")] = Path("corpus/unlabelled.spacy"),
    repeats: Annotated[int, typer.Option(help="How often the data are read in a run")] = 1,
    shard_size: Annotated[int, typer.Option(help="Documents in a shard")] = 500,
) -> None:
    """Compare engines."""
    job = Job([teacher], shard_size=shard_size)
    engines: Dict[str, Engine] = {
        "Ray, one worker": RayCluster("local", n_workers=1),
        "Ray, two workers": RayCluster("local", n_workers=2),
        "two processes": Processes(2),
        # The last, because the tokenizers that it uses complain of later forks.
        "one process": ThisProcess(),
    }
    digests = set()
    for name, engine in engines.items():
        with TemporaryDirectory() as folder:
            summary = annotate_source(job, [data] * repeats, Path(folder), engine=engine)
            digests.add(digest(Path(folder) / MANIFEST))
        print(f"{name}: {summary.words / summary.seconds:,.0f} words/s", flush=True)
    assert len(digests) == 1, "not all wrote the same"


if __name__ == "__main__":
    typer.run(measure)
