"""Measure the peak memory of reading, annotating and training on a small and a large corpus.

The sentences are drawn with replacement from a corpus, and a unique word is added to each, so that
the number of distinct words grows with the corpus. Every stage runs in its own process; annotation
and training are the real commands. Run it in a project whose student is trained, and use that as a
fast teacher:

    OMP_NUM_THREADS=1 python benchmarks/memory.py training/student/model-best
"""

import random
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Annotated, List, Sequence

import spacy
import typer
from spacy.tokens import Doc, DocBin

from spacy_distill.data.sources import read_docs

N_LABELLED = 300
# Reads sentences as `annotate` does, in memory zones.
READ = """
import sys
from itertools import islice

import spacy

from spacy_distill.data.sources import read_docs

nlp = spacy.blank("en")
docs = read_docs(sys.argv[1], nlp=nlp)
n = 1
while n:
    with nlp.memory_zone():
        n = sum(1 for _ in islice(docs, 10_000))
"""
# Reads one epoch of examples as `spacy train` does with max_epochs = -1.
STREAM = """
import sys

import spacy

from spacy_distill.corpus import build_distillation_corpus_v1

labelled, unlabelled = sys.argv[1:]
read = build_distillation_corpus_v1(
    labelled=labelled, unlabelled=unlabelled, shuffle_buffer=10_000
)
for eg in read(spacy.blank("en")):
    pass
"""
# Runs Python and prints the peak memory of that process. Its parent is this small process, because
# the system never reports less than the memory of the parent.
COUNT = """
import os
import subprocess
import sys

process = subprocess.Popen([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss)
sys.exit(status != 0)
"""


def measure(
    teacher: Annotated[str, typer.Argument(help="Pipeline that annotates")],
    corpus: Annotated[Path, typer.Argument(help="Labelled sentences that are repeated")] = Path(
        "assets/demo/train.conll"
    ),
    sizes: Annotated[str, typer.Option(help="Numbers of sentences")] = "10000,1000000",
    steps: Annotated[int, typer.Option(help="Training steps")] = 1000,
    config: Annotated[Path, typer.Option(help="The student's config")] = Path(
        "configs/student.cfg"
    ),
    table: Annotated[Path, typer.Option(help="The student's lookup table")] = Path(
        "corpus/table.npz"
    ),
) -> None:
    """Print the peak memory of each stage at each size."""
    docs = list(read_docs(corpus, nlp=spacy.blank("en")))
    for size in map(int, sizes.split(",")):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            n_words = write_text(docs, folder / "pool.txt", size=size)
            DocBin(docs=docs[:N_LABELLED]).to_disk(folder / "gold.spacy")
            print(f"{size:,} sentences, {n_words:,} words")
            annotated, gold = str(folder / "annotated"), str(folder / "gold.spacy")
            run("reading", ["-c", READ, str(folder / "pool.txt")])
            module = ["-m", "spacy_distill", "annotate", teacher]
            run("annotation", [*module, str(folder / "pool.txt"), annotated])
            run("an epoch's examples", ["-c", STREAM, gold, annotated])
            options = {
                "paths.labelled": gold,
                "paths.unlabelled": annotated,
                "paths.dev": gold,
                "paths.table": table,
                "corpora.train.shuffle_buffer": 10_000,
                "training.max_epochs": -1,
                "training.max_steps": steps,
                "training.eval_frequency": steps,
            }
            settings = [part for name, value in options.items() for part in (f"--{name}", value)]
            run("training", ["-m", "spacy", "train", str(config), *map(str, settings)])


def write_text(docs: Sequence[Doc], path: Path, *, size: int) -> int:
    """Write random sentences, one per line, and count their words."""
    rng = random.Random(0)
    n_words = 0
    with path.open("w", encoding="utf-8") as file:
        for i in range(size):
            doc = rng.choice(docs)
            n_words += len(doc) + 1
            file.write(f"{' '.join(token.text for token in doc)} w{i}\n")
    return n_words


def run(name: str, arguments: List[str]) -> None:
    """Run Python in another process, and print its peak memory and time."""
    start = perf_counter()
    command = [sys.executable, "-c", COUNT, *arguments]
    peak = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    # Linux reports kB, macOS bytes.
    megabytes = int(peak) / (1024 if sys.platform == "linux" else 1024**2)
    print(f"  {name}: {megabytes:,.0f} MB, {perf_counter() - start:,.0f} s", flush=True)


if __name__ == "__main__":
    typer.run(measure)
