"""Measure words/s of annotation: in this process, in others, and on a local Ray cluster.

Run it in a project whose teacher is trained, with the extra `ray` installed:

    OMP_NUM_THREADS=1 python benchmarks/annotate_ray.py

The time starts when one teacher is loaded, so that it includes the loading of the others. This
matters less the more there is to annotate. All engines must write the same bytes.
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
    data: Annotated[Path, typer.Argument(help="Texts to read")] = Path("corpus/unlabelled.spacy"),
    repeats: Annotated[int, typer.Option(help="Passes over the data")] = 1,
    shard_size: Annotated[int, typer.Option(help="Documents per shard")] = 500,
) -> None:
    """Compare the speed of the engines of `annotate`."""
    job = Job([teacher], shard_size=shard_size)
    engines: Dict[str, Engine] = {
        "Ray, one worker": RayCluster("local", n_workers=1),
        "Ray, two workers": RayCluster("local", n_workers=2),
        "two processes": Processes(2),
        # This one is last, because tokenizers warn about forks after they were used.
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
