"""`spacy-distill evaluate`: score whatever is trained."""

from pathlib import Path
from typing import Annotated, Any, Dict

import srsly
import typer
from spacy.cli.evaluate import evaluate
from wasabi import msg

from ..errors import Errors
from .options import Gpu


def evaluate_cli(
    training: Annotated[Path, typer.Argument(help="Folder with NAME/model-best for each pipeline")],
    test: Annotated[Path, typer.Argument(help="Test set (.spacy)")],
    metrics: Annotated[Path, typer.Argument(help="Folder for NAME.json")],
    gpu: Gpu = -1,
) -> None:
    """Score each trained pipeline on the test set, on the tokens of the test set.

    The files are those of `spacy evaluate --gold-preproc`. One that is newer than its pipeline and
    the test set is left as it is.
    """
    if not test.exists():
        raise FileNotFoundError(Errors.D008.format(path=test))
    models = sorted(path.parent for path in training.glob("*/model-best/meta.json"))
    if not models:
        raise ValueError(Errors.D410.format(path=training))
    metrics.mkdir(parents=True, exist_ok=True)
    rows = []
    for model in models:
        name = model.parent.name
        output = metrics / f"{name}.json"
        if is_newer(output, model / "meta.json") and is_newer(output, test):
            msg.info(f"'{output}' is up to date")
        else:
            msg.info(f"Evaluating '{model}'")
            evaluate(str(model), test, output=output, use_gpu=gpu, gold_preproc=True, silent=True)
        rows.append((name, *percentages(srsly.read_json(output))))
    msg.table(rows, header=("Pipeline", "P", "R", "F"), divider=True, aligns=("l", "r", "r", "r"))


def is_newer(path: Path, other: Path) -> bool:
    return path.exists() and path.stat().st_mtime > other.stat().st_mtime


def percentages(scores: Dict[str, Any]) -> Any:
    return (f"{100 * (scores[key] or 0.0):.2f}" for key in ("ents_p", "ents_r", "ents_f"))
