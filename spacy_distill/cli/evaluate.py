"""`spacy-distill evaluate`: score trained pipelines."""

from pathlib import Path
from typing import Annotated, Any, Dict, Set

import srsly
import typer
from spacy.vocab import Vocab
from wasabi import msg

from ..docbins import read_docbins
from ..errors import Errors
from ..files import digest_source, make_folder
from ..loading import find_code, import_code, use_gpu
from ..soft_targets import has_soft_targets
from .options import Code, Gpu
from .scoring import (
    MADE_FROM,
    describe_scores,
    find_pipelines,
    is_agreement,
    is_dev,
    percentages,
    pipeline_name,
    score_pipeline,
    warn_of_training,
)


def evaluate_cli(
    training: Annotated[
        Path, typer.Argument(help="A pipeline, or a folder with model-best or NAME/model-best")
    ],
    test: Annotated[Path, typer.Argument(help="Test set (.spacy)")],
    metrics: Annotated[Path, typer.Argument(help="Folder for NAME.json")],
    gpu: Gpu = -1,
    code: Code = None,
) -> None:
    """Score each trained pipeline on the test set, on the tokens of the test set.

    Writes METRICS/NAME.json as `spacy evaluate --gold-preproc` does, with digests of pipeline and
    test set. If these have not changed, a pipeline is not scored again.
    """
    if not test.exists():
        raise FileNotFoundError(Errors.D008.format(path=test))
    models = find_pipelines(training)
    labels = check_gold(test)
    use_gpu(gpu)
    import_code(find_code(code))
    make_folder(metrics)
    test_digest = digest_source(test)
    rows = []
    for model in models:
        name = pipeline_name(model)
        output = metrics / f"{name}.json"
        made_from = describe_scores(model, test_digest)
        if read_scores(output).get(MADE_FROM) == made_from:
            msg.info(f"'{output}' is up to date")
        else:
            msg.info(f"Evaluating '{model}'")
            score_pipeline(model, test, output, made_from=made_from, gpu=gpu)
        warn_of_training(model)
        warn_of_dev(model, test, test_digest)
        scores = read_scores(output)
        if "ents_f" not in scores:
            msg.warn(f"'{model}' has no component that finds entities")
        warn_of_labels(set(scores.get("ents_per_type") or ()) - labels, labels, scores, model=model)
        rows.append((name, *percentages(scores)))
    msg.table(rows, header=("Pipeline", "P", "R", "F"), divider=True, aligns=("l", "r", "r", "r"))


def read_scores(path: Path) -> Dict[str, Any]:
    """Read a file of scores; empty if it does not exist or is damaged."""
    try:
        found = srsly.read_json(path) if path.exists() else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def warn_of_dev(model: Path, test: Path, test_digest: str) -> None:
    """Warn of scores on a pipeline's own development set."""
    if is_agreement(model, test_digest):
        msg.warn(
            f"The labels of '{test}' are those of the teacher of '{model}': these scores measure "
            "agreement with it, not accuracy"
        )
    elif is_dev(model, test_digest):
        msg.warn(
            f"'{model}' was tuned on '{test}': scores on it are better than on new text. Give a "
            "test set"
        )


def warn_of_labels(
    others: Set[str], labels: Set[str], scores: Dict[str, Any], *, model: Path
) -> None:
    """Warn of a pipeline without a correct prediction, some labels of which are not those of gold.

    others (Set[str]): Labels that it predicts and gold does not have.
    labels (Set[str]): Labels of gold.
    scores (Dict[str, Any]): The scores of the pipeline.
    model (Path): The folder of the pipeline.
    """
    if others and labels and not scores["ents_f"]:
        msg.warn(
            f"No prediction of '{model}' is right. It predicts {', '.join(sorted(others))}, but "
            f"the labels of gold are {', '.join(sorted(labels))}: if some mean the same, rename "
            "those of one of the two"
        )


def check_gold(test: Path) -> Set[str]:
    """Refuse a test set that can't be scored on, and warn of one without entities.

    RETURNS (Set[str]): The labels of its entities.
    RAISES (ValueError): D009 without documents, D114 for a damaged file, D419 if documents have no
        entity annotation.
    """
    docs = list(read_docbins(test, Vocab()))
    if not docs:
        raise ValueError(Errors.D009.format(path=test))
    missing = sum(not doc.has_annotation("ENT_IOB") for doc in docs)
    if missing:
        raise ValueError(Errors.D419.format(path=test, missing=missing, total=len(docs)))
    if any(map(has_soft_targets, docs)):
        msg.warn(
            f"'{test}' is annotated by a teacher: scores measure agreement with it, except on gold"
        )
    labels = {ent.label_ for doc in docs for ent in doc.ents}
    if not labels:
        msg.warn(f"No entity in '{test}': F1 will be 0")
    return labels
