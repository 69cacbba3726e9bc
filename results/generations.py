"""A second generation: a student of three students, whose distributions are averaged.

WORK/SIZE/SEED/ is as `spacy-distill sweep` makes it, with the systems teacher and student-crf. Two
more students are trained beside the first with other seeds, on the same sentences. What is there
already is not made again.
"""

import sys
from pathlib import Path
from typing import Annotated, Dict, List

import srsly
import typer
from teachers import describe, distil, run, score

# Of the two that are trained beside the first.
MORE = (1, 2)


def print_generations(
    work: Annotated[Path, typer.Argument(help="The sweep's --work")],
    size: Annotated[int, typer.Option(help="Labelled sentences")] = 300,
    seeds: Annotated[str, typer.Option(help="Which, between commas")] = "0,1,2",
) -> None:
    """Print F1 in percent of what teaches (test) and what is taught (dev, test), over seeds."""
    found: Dict[str, List[List[float]]] = {}
    for seed in map(int, seeds.split(",")):
        folder = work / str(size) / str(seed)
        teacher, student = (
            folder / "training" / name / "model-best" for name in ("teacher", "student-crf")
        )
        students = [student, *(train_again(folder, seed=seed, n=n) for n in MORE)]
        second = distil(folder, students, table=work / "table.npz", seed=seed)
        for name, teachers, taught in (
            ("the transformer", [teacher], student),
            ("three such students, averaged", students, second),
        ):
            row = [score(folder, teachers), tuned_score(taught, folder), score(folder, [taught])]
            found.setdefault(name, []).append(row)
            print(f"{size}/{seed} {name}: " + " ".join(f"{f1:.1f}" for f1 in row), file=sys.stderr)
    print("| taught by | its test F1 | the student's dev F1 | test F1 |")
    print("| --- | ---: | ---: | ---: |")
    for name, rows in found.items():
        print(f"| {name} | " + " | ".join(map(describe, zip(*rows))) + " |")


def train_again(folder: Path, *, seed: int, n: int) -> Path:
    """Train the student with another seed. RETURNS (Path): The tuned model."""
    output = folder / "students" / f"again-{n}"
    if not (output / "tuned.json").exists():
        dev, annotated = folder / "corpus" / "dev.spacy", folder / "corpus" / "annotated"
        run(
            *("spacy", "train", "configs/student.cfg", "--output", output),
            *("--system.seed", 1000 * n + seed, "--paths.dev", dev),
            *("--paths.labelled", annotated / "labelled"),
            *("--paths.unlabelled", annotated / "unlabelled"),
            *("--paths.table", folder.parents[1] / "table.npz"),
        )
        run("spacy_distill", "tune", output / "model-best", dev, "--output", output / "tuned.json")
    return output / "model-best"


def tuned_score(model: Path, folder: Path) -> float:
    """F1 in percent on the development set, as `tune` wrote it down."""
    beside = model.with_name("tuned.json")
    of_sweep = folder / "metrics" / f"{model.parent.name}.tuned.json"
    return 100 * srsly.read_json(beside if beside.exists() else of_sweep)["after"]


if __name__ == "__main__":
    typer.run(print_generations)
