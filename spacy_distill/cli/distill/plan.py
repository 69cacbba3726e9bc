"""The plan of `distill`: checks its arguments and the student's config before any slow work."""

from pathlib import Path
from typing import Any, Mapping, NamedTuple, Optional, cast

from spacy.cli._util import show_validation_error
from spacy.schemas import ConfigSchemaTraining
from spacy.util import load_model_from_config, registry, resolve_dot_names
from thinc.api import Config

from ...annotate.job import Job
from ...checks import find_unknown, require
from ...errors import Errors
from ...files import check_apart
from ...pipeline.ner_tagger import NERTagger
from ...table import load_table
from ...teachers.choose import check_teacher
from .config import (
    check_paths,
    find_sources,
    find_student,
    has_table,
    read_config,
    set_inputs,
    warn_unscored,
)
from .corpus import Given, Inputs
from .notes import claim_output

# What is replaced in OUTPUT, besides a table.
MAKES = ("corpus", "annotated", "model-best", "model-last", "metrics")


class Plan(NamedTuple):
    """What is trained, and on which data."""

    config: Config  # the student's, not interpolated; its block [paths] has the inputs
    filled: Config  # the same, interpolated, with all defaults
    name: str  # of the component that is trained
    inputs: Inputs


def make_plan(
    job: Job,
    config_path: Path,
    output: Path,
    *,
    given: Given,
    table: Optional[Path],
    encoder: str,
    overrides: Mapping[str, Any],
) -> Plan:
    """Read the student's config, set its inputs, check everything, and claim OUTPUT for this run.

    The arguments are those of `distill`.

    RETURNS (Plan): What is trained.
    RAISES (ValueError): D805 if a teacher is none, D007 for a table that nothing loads or a path
        that the config can't set, D420 for an unknown setting, D915 if OUTPUT and an input overlap,
        D417 if OUTPUT holds other files, and errors of `load_table`. (FileNotFoundError): D110 if
        the table or the config does not exist.
    """
    for teacher in job.teachers:
        check_teacher(teacher)
    if table is not None and not table.exists():
        raise FileNotFoundError(Errors.D110.format(source=table))
    require(table is None or table.is_file(), "--table", str(table), "a file")
    check_paths(overrides)
    config = read_config(config_path, overrides)
    name = find_student(config, source=config_path)
    requirement = "omitted: nothing in the config loads a table"
    require(table is None or has_table(config, name), "--table", str(table), requirement)
    inputs = Inputs.plan(output, given, table=table)
    for part in ("corpus", "annotated"):
        check_apart(output / part, given.sources)
    read = [*job.teachers, str(config_path), *find_sources(config).values()]
    read += [encoder] if encoder else []
    for part in ("model-best", "model-last"):
        check_apart(output / part, read if table is None else [*read, table])
    made_table = [] if table is not None else [inputs.table.name]
    claim_output(output, makes=[*MAKES, *made_table])
    set_inputs(config, inputs, name=name)
    settings = config.interpolate()
    with show_validation_error(config_path):
        try:
            student = load_model_from_config(settings, auto_fill=True)
        except ImportError as reason:
            lang = settings["nlp"]["lang"]
            raise ValueError(Errors.D121.format(lang=lang, reason=reason)) from reason
        filled = student.config.interpolate()
        registry.resolve(filled["training"], schema=ConfigSchemaTraining)
        corpora = [filled["training"][f"{part}_corpus"] for part in ("train", "dev")]
        resolve_dot_names(filled, corpora)
    if unknown := find_unknown(overrides, filled):  # spaCy would ignore it
        raise ValueError(Errors.D420.format(option=f"--{unknown[0]}"))
    if table is not None:
        load_table(cast(NERTagger, student.get_pipe(name)).model, path=table)
    warn_unscored(filled["training"])
    return Plan(config, filled, name, inputs)
