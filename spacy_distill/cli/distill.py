"""The command `distill`, as `python -m spacy distill` and as `spacy-distill distill`.

Its name, arguments and options are those of spaCy v4's command, its steps those of the project
workflow: annotate, table, train, tune, evaluate.
"""

import logging
from pathlib import Path
from typing import Annotated, Any, List, Mapping, Optional

import srsly
import typer
from spacy.cli._util import app as spacy_app
from spacy.cli._util import import_code, parse_config_overrides, setup_gpu
from spacy.cli.evaluate import evaluate
from spacy.util import logger
from wasabi import msg
from weasel.util.hashing import get_checksum

from ..benchmark.pipelines import folder_size
from ..errors import Errors
from ..teachers.doc_ents import DEFAULT_SMOOTHING
from .corpus import make_tokenizer, split_paths, warn_unpinned
from .distill_corpus import Given, make_corpus
from .distill_student import (
    find,
    find_student,
    fingerprint,
    has_table,
    make_table,
    read_config,
    set_inputs,
    train_student,
)
from .distill_teacher import Asked, annotate_corpus, find_labels, score_annotated
from .evaluate import percentages
from .failing import fail_in_one_line

# What is left over are settings of the config, as of `spacy train`.
OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}


def distill_cli(
    ctx: typer.Context,
    teacher_model: Annotated[
        str, typer.Argument(help="Teacher: whatever `spacy-distill annotate` takes")
    ],
    student_config_path: Annotated[
        Path, typer.Argument(help="The student's config, such as configs/student.cfg")
    ],
    output_path: Annotated[
        Path,
        typer.Option(
            "--output",
            "--output-path",
            "-o",
            help="Folder for the student, OUTPUT/model-best, and for all that is made on the way",
        ),
    ],
    labelled: Annotated[
        str, typer.Option(help="Gold sentences: a file, folder or data set; none are needed")
    ] = "",
    unlabelled: Annotated[
        Optional[List[str]],
        typer.Option(
            "--unlabelled",
            "-u",
            help="Text that the teacher labels (.txt has a text a line); as often as you like",
        ),
    ] = None,
    dev: Annotated[
        str,
        typer.Option(
            help="Gold that chooses the best weights; else some of what is given is held out"
        ),
    ] = "",
    test: Annotated[str, typer.Option(help="Gold to score on; else the development set")] = "",
    dev_share: Annotated[
        float, typer.Option(help="Share that is held out where there is no --dev")
    ] = 0.1,
    table: Annotated[
        Optional[Path], typer.Option(help="Lookup table made by `spacy-distill table`")
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="Transformer whose word pieces make the table: a folder or an id on the hub; "
            "all-MiniLM-L6-v2 if none"
        ),
    ] = "",
    also: Annotated[
        Optional[List[str]],
        typer.Option("--also", "-a", help="A further teacher, as often as you like"),
    ] = None,
    weights: Annotated[str, typer.Option(help="Weights of the teachers, such as 2,1,1")] = "",
    names: Annotated[
        Optional[List[str]],
        typer.Option("--map", help="OLD=NEW: what a label of the teachers is called"),
    ] = None,
    drop: Annotated[
        Optional[List[str]], typer.Option(help="A label of the teachers that is to be O")
    ] = None,
    labels: Annotated[
        str, typer.Option(help="The student's labels, of which a teacher may lack some")
    ] = "",
    smoothing: Annotated[
        float, typer.Option(help="Of a teacher without scores: what the other tags share")
    ] = DEFAULT_SMOOTHING,
    iob1: Annotated[bool, typer.Option("--iob1", help="Checkpoints are trained on IOB1")] = False,
    code_path: Annotated[
        Optional[Path],
        typer.Option("--code", "-c", help="Python file with functions that the config names"),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-V", help="Show what the training loop says")
    ] = False,
    use_gpu: Annotated[
        int, typer.Option("--gpu-id", "-g", help="GPU for the teacher, -1 for the CPU")
    ] = -1,
) -> None:
    """Distil a teacher into a compact student, with labels or without.

    The teacher labels the text, a lookup table is made, the student trained and scored beside its
    teacher. A step whose inputs are the same as before is not done again. What is left over on the
    command line sets values of the config, for instance --training.max_steps 2000.
    """
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    overrides = parse_config_overrides(ctx.args)
    import_code(code_path)
    sources = split_paths(unlabelled or [])
    warn_unpinned([*sources, *(source for source in (labelled, dev, test) if source)])
    asked = Asked(
        teachers=(teacher_model, *(also or [])),
        weights=weights,
        names=tuple(names or ()),
        drop=tuple(drop or ()),
        labels=labels,
        smoothing=smoothing,
        iob1=iob1,
        gpu=use_gpu,
    )
    distill(
        asked,
        student_config_path,
        output_path,
        given=Given(labelled, sources, dev, test),
        dev_share=dev_share,
        table=table,
        encoder=encoder,
        overrides=overrides,
    )


spacy_command = fail_in_one_line()(distill_cli)
spacy_app.command("distill", context_settings=OVERRIDES)(spacy_command)


def distill(
    asked: Asked,
    config_path: Path,
    output: Path,
    *,
    given: Given,
    dev_share: float,
    table: Optional[Path],
    encoder: str,
    overrides: Mapping[str, Any],
) -> None:
    """Run all steps. See `distill_cli`."""
    if table is not None and not table.exists():
        raise FileNotFoundError(Errors.D110.format(source=table))
    config = read_config(config_path, overrides)
    name = find_student(config, source=config_path)
    settings = config.interpolate()
    nlp = make_tokenizer(settings["nlp"]["lang"])
    setup_gpu(asked.gpu, silent=True)

    msg.divider("Corpus")
    seed = find(settings, "training.seed") or 0
    corpus = make_corpus(output / "corpus", given, nlp=nlp, dev_share=dev_share, seed=seed)

    msg.divider("Annotate")
    annotated = annotate_corpus(asked, corpus, output / "annotated", given=given, nlp=nlp)
    labels = find_labels(annotated["unlabelled"]) or find_labels(annotated["labelled"])
    if not given.unlabelled:
        msg.warn("No --unlabelled text: distilling on the labelled sentences alone")
    inputs = {
        "labelled": str(annotated["labelled"]) if "labelled" in annotated else None,
        "unlabelled": str(annotated["unlabelled"]),
        "dev": str(corpus["dev"]),
    }
    if has_table(settings, name):
        msg.divider("Table")
        width = find(settings, f"components.{name}.model.lookup.width")
        table = table or make_table(output, encoder=encoder, width=width, gpu=asked.gpu)
        inputs["table"] = str(table)
    set_inputs(config, inputs, name=name, labels=labels)

    msg.divider("Train")
    digests = [get_checksum(path) for path in inputs.values() if path is not None]
    made_from = fingerprint(config.to_str(), digests)
    best = train_student(config, output, source=config_path, made_from=made_from)

    msg.divider("Evaluate")
    report(best, corpus, annotated)


def report(best: Path, corpus: Mapping[str, Path], annotated: Mapping[str, Path]) -> None:
    """Score the student, and its teacher where there is gold, and say what was made."""
    scored_on = corpus["test"] if "test" in corpus else corpus["dev"]
    metrics = best.parent / "metrics"
    metrics.mkdir(exist_ok=True)
    evaluate(str(best), scored_on, output=metrics / "student.json", gold_preproc=True, silent=True)
    rows = [("student", *percentages(srsly.read_json(metrics / "student.json")))]
    if "scored" in annotated:
        of_teacher = score_annotated(annotated["scored"], scored_on)
        srsly.write_json(metrics / "teacher.json", of_teacher)
        rows.append(("teacher", *percentages(of_teacher)))
    else:
        # One of an earlier run would be taken for that of this teacher.
        (metrics / "teacher.json").unlink(missing_ok=True)
    msg.table(rows, header=("", "P", "R", "F"), divider=True, aligns=("l", "r", "r", "r"))
    if "scored" not in annotated:
        msg.warn(
            "These scores are agreement with the teacher on text that was held out, not accuracy: "
            "nothing here is labelled. Give --dev or --test to measure that"
        )
    elif "test" not in corpus:
        msg.info("These are the sentences that the best weights were chosen on: give --test")
    msg.good(f"The student is in {best} ({folder_size(best) / 1e6:.1f} MB)")
