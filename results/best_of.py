"""Compare students trained with several settings, and the one of each sample that is best on dev.

WORK/SIZE/SEED/ is a folder of `spacy-distill sweep`, with the teacher, the students, and the counts
of correct, wrong and missed entities that the sweep stores next to their scores.
"""

from pathlib import Path
from statistics import mean
from typing import Annotated, Dict, List

import numpy
import srsly
import typer
from teachers import describe

from spacy_distill.sweep.bootstrap import compare, micro_f1, resample_f1
from spacy_distill.sweep.comparisons import load_counts
from spacy_distill.sweep.plan import TEACHER
from spacy_distill.sweep.stages import counts_file, tuned_file

BEST = "the best of these on dev"


def print_best(
    work: Annotated[Path, typer.Argument(help="The sweep's --work")],
    size: Annotated[int, typer.Argument(help="Labelled sentences")],
    systems: Annotated[
        str, typer.Option(help="Names, separated by commas")
    ] = "student-crf,pieces,long",
    seeds: Annotated[str, typer.Option(help="Seeds, separated by commas")] = "0,1,2",
) -> None:
    """Print F1 in percent on the development set and on the test set, and the difference from the
    teacher on the test set: mean over seeds, with the central 95 % of a paired bootstrap."""
    folders = [work / str(size) / seed for seed in seeds.split(",")]
    names = systems.split(",")
    chosen: Dict[str, List[str]] = {name: [name] * len(folders) for name in [TEACHER.name, *names]}
    chosen[BEST] = [max(names, key=lambda name: dev_f1(folder, name)) for folder in folders]
    runs = [(folder, name) for folder in folders for name in [TEACHER.name, *names]]
    # (n_sentences, n_runs, 3)
    counts = numpy.stack([load_counts(counts_file(*run)) for run in runs], axis=1)
    f1, resampled = micro_f1(counts), resample_f1(counts)

    def places(of: List[str]) -> List[int]:
        return [runs.index(run) for run in zip(folders, of)]

    print("| | dev | test | against the teacher |\n| --- | ---: | ---: | ---: |")
    for name, own in chosen.items():
        dev = mean(dev_f1(*run) for run in zip(folders, own))
        test = describe([100 * f1[i] for i in places(own)])
        found = compare(f1, resampled, ours=places(own), theirs=places(chosen[TEACHER.name]))
        low, high = 100 * found.low, 100 * found.high
        difference = f"{100 * found.difference:+.1f} ({low:+.1f} to {high:+.1f})"
        print(f"| {name} | {dev:.1f} | {test} | {'' if name == TEACHER.name else difference} |")
    print(f"\nChosen: {', '.join(chosen[BEST])}")


def dev_f1(folder: Path, name: str) -> float:
    return 100 * srsly.read_json(tuned_file(folder, name))["after"]


if __name__ == "__main__":
    typer.run(print_best)
