"""`spacy-distill choose`: copy the best of several trained pipelines."""

import shutil
from pathlib import Path
from typing import Annotated, Any, Dict, List

import typer
from wasabi import msg

from ..errors import Errors
from ..files import check_apart, check_folder, digest_folder, read_json, replacing
from ..provenance import TUNED, digest_components
from .scoring import find_pipelines, pipeline_name, warn_of_training


def choose_cli(
    training: Annotated[
        Path, typer.Argument(help="Folder with the tuned pipelines, NAME/model-best")
    ],
    output: Annotated[
        Path, typer.Argument(help="Folder for a copy of the best; a pipeline in it is replaced")
    ],
) -> None:
    """Copy the pipeline with the best F1 on the development set, as recorded by 'tune'.

    Settings that improve a student on one kind of text make it worse on another: train it with
    several, tune each, and let the development set choose. Ties go to the first by name.
    """
    models = find_pipelines(training)
    check_apart(output, models)
    check_replaceable(output)
    scores = read_dev_scores(models)
    for model in models:
        warn_of_training(model)
    best = max(models, key=lambda model: scores[model])
    rows = [(pipeline_name(model), f"{100 * scores[model]:.2f}") for model in models]
    msg.table(rows, header=("Pipeline", "F1 on dev"), divider=True, aligns=("l", "r"))
    if output.exists() and digest_folder(output) == digest_folder(best):
        msg.info(f"'{output}' already is '{pipeline_name(best)}'")
        return
    with replacing(output) as folder:
        shutil.copytree(best, folder)
    msg.good(f"'{pipeline_name(best)}' is the best: '{output}'")


def check_replaceable(output: Path) -> None:
    """Refuse to replace anything but a pipeline.

    RAISES (OSError): D901 for a file. (ValueError): D417 for a folder with other content.
    """
    check_folder(output)
    if output.exists() and not (output / "meta.json").exists():
        names = ", ".join(sorted(path.name for path in output.iterdir()))
        if names:
            raise ValueError(Errors.D417.format(path=output, names=names, command="choose"))


def read_dev_scores(models: List[Path]) -> Dict[Path, float]:
    """Read the F1 of pipelines on the development set that all of them were tuned on.

    RAISES (ValueError): D423 for a pipeline that was not tuned since it was trained, D424 for one
        that was tuned on another development set.
    """
    tuned: Dict[Path, Dict[str, Any]] = {}
    for model in models:
        found = tuned[model] = read_json(model / "meta.json").get(TUNED, {})
        known = found.get("components")
        if known is None or known != digest_components(known, model):
            raise ValueError(Errors.D423.format(path=model))
        if found["dev"] != tuned[models[0]]["dev"]:
            raise ValueError(Errors.D424.format(path=model, other=models[0]))
    return {model: found["after"] for model, found in tuned.items()}
