"""Train better teachers than the one of a sweep, and students of them.

WORK/SIZE/SEED/ is a folder of `spacy-distill sweep`, with the systems teacher and student-crf. On
the same sentences, with configs/*.cfg, this script trains students of:

- the transformer of the sweep and two more with other seeds, averaged;
- a transformer trained on gold labels and on the first one's predictions on the pool
  (self-training);
- the transformer and its student, averaged;
- the student of the sweep and two more with other seeds, averaged (a second generation).

Pipelines that exist already are not trained again.
"""

import sys
from pathlib import Path
from typing import Annotated, Callable, Dict, List

import srsly
import typer
from teachers import describe, distil, run, score
from thinc.api import Config

# Numbers of the two models that are trained in addition to the first; their seeds depend on them.
MORE = (1, 2)
Make = Callable[[Path, Path, int], List[Path]]


def print_teachers(
    work: Annotated[Path, typer.Argument(help="The sweep's --work")],
    transformer: Annotated[Path, typer.Argument(help="The teacher's weights, as of the sweep")],
    size: Annotated[int, typer.Option(help="Labelled sentences")] = 300,
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas")] = "0,1,2",
    kinds: Annotated[
        str, typer.Option(help="Some of averaged,self-trained,with-student,students")
    ] = "",
) -> None:
    """Print F1 in percent of teachers (test) and of their students (dev, test), over seeds."""
    chosen = kinds.split(",") if kinds else [*KINDS]
    found: Dict[str, List[List[float]]] = {}
    for seed in map(int, seeds.split(",")):
        folder = work / str(size) / str(seed)
        taught = {"the transformer": (of_sweep(folder, "teacher"), of_sweep(folder, "student-crf"))}
        for kind in chosen:
            name, make = KINDS[kind]
            teachers = make(folder, transformer, seed)
            taught[name] = teachers, [distil(folder, teachers, table=find_table(folder), seed=seed)]
        for name, (teachers, students) in taught.items():
            row = [score(folder, teachers), tuned_score(folder, *students), score(folder, students)]
            found.setdefault(name, []).append(row)
            print(f"{size}/{seed} {name}: " + " ".join(f"{f1:.1f}" for f1 in row), file=sys.stderr)
    print("| taught by | its test F1 | the student's dev F1 | test F1 |")
    print("| --- | ---: | ---: | ---: |")
    for name, rows in found.items():
        print(f"| {name} | " + " | ".join(map(describe, zip(*rows))) + " |")


def average_transformers(folder: Path, transformer: Path, seed: int) -> List[Path]:
    more = []
    for n in MORE:
        output = folder / "teachers" / f"again-{n}"
        labelled = folder / "corpus" / "labelled.spacy"
        weights = ("--paths.teacher", transformer, "--paths.labelled", labelled)
        more.append(train(folder, "configs/teacher.cfg", output, seed_again(seed, n), *weights))
    return [*of_sweep(folder, "teacher"), *more]


def self_train(folder: Path, transformer: Path, seed: int) -> List[Path]:
    """Train the teacher's model like a student: on gold labels, pseudo-labels and soft targets."""
    output = folder / "teachers" / "self-trained"
    output.mkdir(parents=True, exist_ok=True)
    config = Config().from_disk("configs/teacher.cfg", interpolate=False)
    students = Config().from_disk("configs/student.cfg", interpolate=False)
    config["paths"]["unlabelled"] = None
    config["corpora"]["train"] = students["corpora"]["train"]
    # There are more sentences to learn from than for the first transformer.
    steps = 2 * config["training"]["max_steps"]
    config["training"].update(max_steps=steps, eval_frequency=steps // 5)
    config["initialize"]["before_init"] = None
    config.to_disk(output / "config.cfg")
    options = ("--paths.teacher", transformer, *annotated(folder))
    return [train(folder, output / "config.cfg", output, seed_again(seed, MORE[0]), *options)]


def average_with_student(folder: Path, transformer: Path, seed: int) -> List[Path]:
    return [*of_sweep(folder, "teacher"), *of_sweep(folder, "student-crf")]


def average_students(folder: Path, transformer: Path, seed: int) -> List[Path]:
    more = []
    for n in MORE:
        output = folder / "students" / f"again-{n}"
        options = ("--paths.table", find_table(folder), *annotated(folder))
        more.append(train(folder, "configs/student.cfg", output, seed_again(seed, n), *options))
    return [*of_sweep(folder, "student-crf"), *more]


# Kinds of teachers by their name on the command line: a description, and what makes them.
KINDS: Dict[str, tuple[str, Make]] = {
    "averaged": ("three transformers, averaged", average_transformers),
    "self-trained": ("the transformer after self-training", self_train),
    "with-student": ("the transformer and its student, averaged", average_with_student),
    "students": ("three such students, averaged", average_students),
}


def train(folder: Path, config: object, output: Path, seed: int, *options: object) -> Path:
    """Train and tune a pipeline, unless it exists. RETURNS (Path): The pipeline."""
    model = output / "model-best"
    if not (output / "tuned.json").exists():
        dev = folder / "corpus" / "dev.spacy"
        seeds = ("--system.seed", seed, "--paths.dev", dev)
        run("spacy", "train", config, "--output", output, *seeds, *options)
        run("spacy_distill", "tune", model, dev, "--output", output / "tuned.json")
    return model


def seed_again(seed: int, n: int) -> int:
    return 1000 * n + seed


def of_sweep(folder: Path, system: str) -> List[Path]:
    return [folder / "training" / system / "model-best"]


def find_table(folder: Path) -> Path:
    return folder.parents[1] / "table.npz"


def annotated(folder: Path) -> List[object]:
    """Return training options for the text that the sweep's teacher annotated."""
    parts = folder / "corpus" / "annotated"
    return ["--paths.labelled", parts / "labelled", "--paths.unlabelled", parts / "unlabelled"]


def tuned_score(folder: Path, model: Path) -> float:
    """Read the F1 in percent on the development set that `tune` stored."""
    beside = model.with_name("tuned.json")
    sweeps = folder / "metrics" / f"{model.parent.name}.tuned.json"
    return 100 * srsly.read_json(beside if beside.exists() else sweeps)["after"]


if __name__ == "__main__":
    typer.run(print_teachers)
