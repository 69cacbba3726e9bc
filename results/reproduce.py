"""Makes the figures of results/README.md: every system on every corpus, over seeds.

Each run goes through the commands of project.yml in a folder of its own. What is there already is
not made again, so an interrupted run goes on where it stopped.
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, median, stdev
from typing import Annotated, List, Optional, Tuple, get_args

import spacy
import srsly
import typer
from spacy.training import Corpus

from spacy_distill.benchmark.pipelines import count_parameters, find_nodes
from spacy_distill.compression import Weights, compress, restore

# Labelled sentences of each corpus.
CORPORA = {"btc": 300, "wikigold": 300, "wnut17": 750, "wikiann_en": 300}
# Each system: its config, and the table that it begins with.
SYSTEMS = {
    "teacher": ("teacher", None),
    "baseline, random words": ("baseline", "words-random"),
    "baseline, pieces": ("baseline", "pieces-encoder"),
    "student, words": ("student", "words-encoder"),
    "student, pieces": ("student", "pieces-encoder"),
}
ROOT = Path(__file__).parent.parent
# A corpus and a seed.
Run = Tuple[str, int]


def reproduce(
    data: Annotated[Path, typer.Argument(help="Folder with the corpora")],
    work: Annotated[Path, typer.Argument(help="Folder for what is made on the way")],
    seeds: Annotated[int, typer.Option(help="How many seeds")] = 3,
    workers: Annotated[int, typer.Option(help="Runs side by side, one thread each")] = 2,
    teacher: Annotated[Path, typer.Option(help="The teacher's weights")] = Path("assets/teacher"),
) -> None:
    """Train and score every system on every corpus; print the tables of results/README.md."""
    data, work, teacher = data.resolve(), work.resolve(), teacher.resolve()
    runs = [(name, seed) for seed in range(seeds) for name in CORPORA]
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda run: run_all(*run, data=data, work=work, teacher=teacher), runs))
    print_scores(work, runs)
    print_speeds(work, runs)
    print_minutes(work, runs)
    print_parameters(work, runs)
    print_rounding(work, runs)


def run_all(name: str, seed: int, *, data: Path, work: Path, teacher: Path) -> None:
    """All systems on one corpus with one seed."""
    folder = work / name / str(seed)
    corpus = folder / "corpus"
    make(
        corpus / "test.spacy",
        [
            "spacy_distill",
            "corpus",
            data / name,
            corpus,
            "--labelled",
            CORPORA[name],
            "--seed",
            seed,
        ],
    )
    texts = ["--corpus", corpus / "labelled.spacy", "--corpus", corpus / "unlabelled.spacy"]
    for table in ("pieces-encoder", "words-encoder", "words-random"):
        kind, vectors = table.split("-")
        path = work / "tables" / f"{'all' if kind == 'pieces' else name}-{table}.npz"
        make(
            path,
            [
                "spacy_distill",
                "table",
                path,
                "--teacher",
                teacher,
                "--kind",
                kind,
                "--vectors",
                vectors,
                *texts,
            ],
        )
    train("teacher", folder, seed, ["--paths.teacher", teacher])
    best = folder / "teacher" / "model-best"
    for part in ("labelled", "unlabelled"):
        annotated = corpus / "annotated" / part
        make(
            annotated / "00000.spacy",
            ["spacy_distill", "annotate", best, corpus / f"{part}.spacy", annotated],
        )
    for system, (config, table) in SYSTEMS.items():
        if table is not None:
            whose = "all" if table.startswith("pieces") else name
            path = work / "tables" / f"{whose}-{table}.npz"
            train(system, folder, seed, ["--paths.table", path], config=config)


def train(system: str, folder: Path, seed: int, options: List, *, config: str = "teacher") -> None:
    """Train a system, and score it on the test set."""
    corpus, output = folder / "corpus", folder / system
    options = [*options, "--system.seed", seed, "--paths.dev", corpus / "dev.spacy"]
    if config == "student":
        options += ["--paths.labelled", corpus / "annotated" / "labelled"]
        options += ["--paths.unlabelled", corpus / "annotated" / "unlabelled"]
    else:
        options += ["--paths.labelled", corpus / "labelled.spacy"]
    # The last file that training writes.
    done = output / "model-last" / "meta.json"
    config_path = ROOT / "configs" / f"{config}.cfg"
    log = folder / f"{system}.train.log"  # training empties its own folders
    make(done, ["spacy", "train", config_path, "--output", output, *options], log=log)
    make(
        folder / f"{system}.json",
        [
            "spacy",
            "evaluate",
            output / "model-best",
            corpus / "test.spacy",
            "--gold-preproc",
            "--output",
            folder / f"{system}.json",
        ],
    )


def make(target: Path, command: List, *, log: Optional[Path] = None) -> None:
    """Run a command of Python unless its target is there; note how long it took, in seconds."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    start = time.time()
    with (log or target.with_suffix(".log")).open("w") as output:
        subprocess.run(
            [sys.executable, "-m", *map(str, command)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **threads},
            check=True,
        )
    target.with_suffix(".seconds").write_text(f"{time.time() - start:.1f}")


def print_scores(work: Path, runs: List[Run]) -> None:
    """F1 on the test set in percent: mean over the seeds, and standard deviation."""
    rows = []
    for name, labelled in CORPORA.items():
        row = [name, labelled]
        for system in SYSTEMS:
            scores = [100 * score for score in read_scores(work, runs, name, system, "ents_f")]
            spread = f" ± {stdev(scores):.1f}" if len(scores) > 1 else ""
            row.append(f"{mean(scores):.1f}{spread} ({len(scores)})" if scores else "")
        rows.append(row)
    print_table(["corpus", "labelled", *SYSTEMS], rows)


def print_speeds(work: Path, runs: List[Run]) -> None:
    """Words/s as `spacy evaluate` measures them: median over the seeds."""
    rows = []
    for name in CORPORA:
        speeds = [read_scores(work, runs, name, system, "speed") for system in SYSTEMS]
        rows.append([name, *(f"{median(found):,.0f}" if found else "" for found in speeds)])
    print_table(["corpus", *SYSTEMS], rows)


def read_scores(work: Path, runs: List[Run], name: str, system: str, key: str) -> List[float]:
    files = [work / name / str(seed) / f"{system}.json" for seed in seeds_of(name, runs)]
    return [srsly.read_json(file)[key] for file in files if file.exists()]


def print_minutes(work: Path, runs: List[Run]) -> None:
    """Minutes that each stage takes, mean over the seeds."""
    stages = {
        "corpus": ["corpus/test"],
        "train-teacher": ["teacher/model-last/meta"],
        "annotate": ["corpus/annotated/labelled/00000", "corpus/annotated/unlabelled/00000"],
        **{f"train {s}": [f"{s}/model-last/meta"] for s in SYSTEMS if s != "teacher"},
    }
    rows = []
    for name in CORPORA:
        row = [name]
        for files in stages.values():
            folders = [work / name / str(seed) for seed in seeds_of(name, runs)]
            paths = [[folder / f"{file}.seconds" for file in files] for folder in folders]
            done = [parts for parts in paths if all(part.exists() for part in parts)]
            minutes = [sum(float(part.read_text()) for part in parts) / 60 for parts in done]
            row.append(f"{mean(minutes):.1f}" if minutes else "")
        rows.append(row)
    print_table(["corpus", *stages], rows)


def print_parameters(work: Path, runs: List[Run]) -> None:
    """Trained parameters of each system, on each corpus."""
    rows = []
    for name in CORPORA:
        folder = work / name / str(seeds_of(name, runs)[0])
        models = [folder / system / "model-best" for system in SYSTEMS]
        rows.append([name, *(f"{count_of(m):,}" if m.exists() else "" for m in models)])
    print_table(["corpus", *SYSTEMS], rows)


def count_of(pipeline: Path) -> int:
    return count_parameters(find_nodes(spacy.load(pipeline)))


def print_rounding(work: Path, runs: List[Run]) -> None:
    """F1 of the students on the test set with weights as they are stored in a package."""
    rows = []
    for name, seed in runs:
        folder = work / name / str(seed)
        scores = [rounded_score(folder, weights) for weights in get_args(Weights)]
        rows.append([f"{name}, {seed}", *(f"{100 * score:.2f}" for score in scores)])
    print_table(["corpus, seed", *get_args(Weights)], rows)


def rounded_score(folder: Path, weights: Weights) -> float:
    nlp = spacy.load(folder / "student, pieces" / "model-best")
    model = nlp.get_pipe("ner").model
    compress(model, weights=weights)
    restore(model)
    corpus = Corpus(folder / "corpus" / "test.spacy", gold_preproc=True)
    return nlp.evaluate(list(corpus(nlp)))["ents_f"]


def seeds_of(name: str, runs: List[Run]) -> List[int]:
    return [seed for corpus, seed in runs if corpus == name]


def print_table(header: List, rows: List[List]) -> None:
    for row in (header, ["---"] * len(header), *rows):
        print("| " + " | ".join(map(str, row)) + " |")
    print()


if __name__ == "__main__":
    typer.run(reproduce)
