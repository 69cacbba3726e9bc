"""The command `distill`, available as `python -m spacy distill` and as `spacy-distill distill`.

It has the name, arguments and options of spaCy v4's command. Its steps are those of the project
workflow: table, annotate, train, tune, evaluate.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Dict, List, Mapping, Optional

import typer
from click import NoSuchOption
from spacy.cli._util import app as spacy_app
from spacy.cli._util import parse_config_overrides
from spacy.util import logger
from wasabi import msg

from ...annotate.engines import Engine
from ...annotate.job import Job
from ...errors import Errors
from ...files import folder_size, make_and_hold
from ...loading import find_code, import_code, load_blank
from ...teachers.choose import find_lang
from ...teachers.doc_ents import DEFAULT_SMOOTHING
from ..annotate import choose_engine
from ..failing import as_command
from ..options import (
    Address,
    Also,
    Code,
    Drop,
    EngineName,
    EngineOption,
    Iob1,
    Labels,
    Map,
    NProcess,
    Smoothing,
    SplitSentences,
    Weights,
    read_labels,
    read_weights,
    split_paths,
    warn_passed_over,
    warn_unpinned_datasets,
    warn_unpinned_teachers,
)
from .config import get_setting, has_table
from .corpus import Given, make_corpus
from .plan import make_plan
from .scores import forget_agreement, report
from .student import make_table, train_student
from .teacher import annotate_corpus

# Unknown options are settings of the config, as for `spacy train`.
ALLOW_OVERRIDES = {"allow_extra_args": True, "ignore_unknown_options": True}


def distill_cli(
    ctx: typer.Context,
    teacher_model: Annotated[
        str, typer.Argument(help="Teacher: anything that `spacy-distill annotate` takes")
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
            help="Folder for the student, OUTPUT/model-best, and all intermediate files",
        ),
    ],
    labelled: Annotated[
        str,
        typer.Option(
            help="Optional gold sentences: a file, folder or dataset (if it has splits, its "
            "training set)"
        ),
    ] = "",
    unlabelled: Annotated[
        Optional[List[str]],
        typer.Option(
            "--unlabelled",
            "-u",
            help="Text that the teacher labels (.txt has one text per line). May be repeated, or "
            "list several, separated by commas or spaces",
        ),
    ] = None,
    dev: Annotated[
        str,
        typer.Option(
            help="Gold sentences for the choice of the best checkpoint. Default: a share of the "
            "data is held out"
        ),
    ] = "",
    test: Annotated[
        str, typer.Option(help="Gold sentences to score on. Default: the development set")
    ] = "",
    dev_share: Annotated[
        float,
        typer.Option(
            help="Share to hold out without --dev: of the labelled sentences or, if there are "
            "none, of the text"
        ),
    ] = 0.1,
    table: Annotated[
        Optional[Path], typer.Option(help="Lookup table made by `spacy-distill table`")
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="Transformer whose word pieces the table is made of: a folder or an id on the "
            "hub. Default: assets/teacher if it exists, otherwise all-MiniLM-L6-v2, for English"
        ),
    ] = "",
    also: Also = None,
    weights: Weights = "",
    renames: Map = None,
    drop: Drop = None,
    labels: Labels = "",
    smoothing: Smoothing = DEFAULT_SMOOTHING,
    iob1: Iob1 = False,
    n_process: NProcess = 0,
    engine: EngineOption = EngineName.local,
    address: Address = "",
    split_sentences: SplitSentences = False,
    code_path: Code = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-V", help="Show the output of the training loop")
    ] = False,
    use_gpu: Annotated[
        int, typer.Option("--gpu-id", "--gpu", "-g", help="GPU for the teacher, -1 for the CPU")
    ] = -1,
) -> None:
    """Distil a teacher into a compact student, with or without labels.

    Makes a lookup table, lets the teacher label the text (--unlabelled, --labelled or both), trains
    the student, and scores student and teacher. Steps whose inputs have not changed are skipped.
    Further options set values of the config, for example --training.max_steps 2000.
    """
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)
    overrides = read_overrides(ctx.args)
    code = find_code(code_path)
    import_code(code)
    given = Given(labelled, split_paths(unlabelled or []), dev, test, split_sentences)
    warn_unpinned_teachers([teacher_model, *(also or [])])
    warn_unpinned_datasets(given.sources)
    warn_passed_over(given.sources)
    job = Job(
        teachers=[teacher_model, *(also or [])],
        weights=read_weights(weights),
        renames=renames or [],
        drop=drop or [],
        labels=read_labels(labels),
        smoothing=smoothing,
        iob1=iob1,
        gpu=use_gpu,
        code=code,
    )
    with make_and_hold(output_path):
        distill(
            job,
            student_config_path,
            output_path,
            given=given,
            dev_share=dev_share,
            table=table,
            encoder=encoder,
            engine=choose_engine(engine, n_process=n_process, address=address),
            code=code_path,
            overrides=overrides,
        )


def read_overrides(args: List[str]) -> Dict[str, Any]:
    """Parse unknown options as settings of the config. RAISES (ValueError): D420 for one that does
    not have the form of a setting."""
    try:
        return parse_config_overrides(args)
    except NoSuchOption as error:
        raise ValueError(Errors.D420.format(option=error.option_name)) from error


spacy_command = as_command()(distill_cli)
spacy_app.command("distill", context_settings=ALLOW_OVERRIDES)(spacy_command)


def distill(
    job: Job,
    config_path: Path,
    output: Path,
    *,
    given: Given,
    dev_share: float,
    table: Optional[Path],
    encoder: str,
    engine: Engine,
    code: Optional[Path],
    overrides: Mapping[str, Any],
) -> None:
    """Run all steps. See `distill_cli`.

    RAISES (ValueError, OSError): Errors of `make_plan` and of the steps.
    """
    plan = make_plan(
        job,
        config_path,
        output,
        given=given,
        table=table,
        encoder=encoder,
        overrides=overrides,
    )
    config, name, inputs = plan.config, plan.name, plan.inputs
    settings = config.interpolate()
    lang, seed = settings["nlp"]["lang"], get_setting(settings, "training.seed") or 0
    job = replace(job, lang=lang)
    for other in {*map(find_lang, job.teachers)} - {lang, ""}:
        msg.warn(f"A teacher is for language '{other}', the student for '{lang}'. Check --nlp.lang")

    msg.divider("Corpus")
    nlp = load_blank(lang)
    if plan.filled["nlp"]["tokenizer"] != nlp.config["nlp"]["tokenizer"]:
        msg.warn(
            f"The student's tokenizer differs from that of '{lang}', which splits untokenised "
            "text. Give tokens (.spacy, columns, or JSONL with 'tokens')"
        )
    corpus = make_corpus(inputs.dev.parent, given, nlp=nlp, dev_share=dev_share, seed=seed)

    if table is None and has_table(settings, name):
        msg.divider("Table")
        width = get_setting(settings, f"components.{name}.model.lookup.width")
        make_table(inputs.table, encoder=encoder, lang=lang, width=width, gpu=job.gpu)

    msg.divider("Annotate")
    scored = annotate_corpus(job, corpus, inputs, given=given, engine=engine)

    msg.divider("Train")
    best = train_student(config, output, name=name, source=config_path, code=code)
    if "held_out" in corpus:
        forget_agreement(best)

    msg.divider("Evaluate")
    report(best, corpus.get("test", inputs.dev), scored)
    if scored is not None and "test" not in corpus:
        msg.info("The best checkpoint was chosen on these sentences. Give --test for others")
    msg.good(f"The student is in {best} ({folder_size(best) / 1e6:.1f} MB)")
