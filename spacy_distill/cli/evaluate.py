"""`spacy-distill evaluate`: score trained pipelines."""

from pathlib import Path
from typing import Annotated, Any, Dict, List, Set, Tuple

import srsly
import typer
from spacy.cli.evaluate import evaluate
from spacy.vocab import Vocab
from wasabi import msg

from ..docbins import read_docbins
from ..errors import Errors
from ..files import digest_folder, digest_source, last_name, make_folder, read_json, write_json
from ..loading import find_code, import_code, use_gpu
from ..provenance import TUNED, find_changed, waits_for_tuning
from ..soft_targets import has_soft_targets
from .options import Code, Gpu

# Key in a file of scores: the digests of what it was made from.
MADE_FROM = "made_from"
# Key in a file of scores: whether they were measured on the teacher's labels, because there was no
# gold. In the metadata of a pipeline: whether its development set has the teacher's labels.
AGREEMENT = "agreement"
# Beginnings of the names of scores that single sentences with gold tokens can't measure: they have
# neither the categories nor the spans of their documents, and their boundaries are known.
UNMEASURED = ("cats_", "spans_", "sents_", "token_")


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
    if not models:
        raise ValueError(Errors.D410.format(path=training))
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


def score_pipeline(
    model: Path, test: Path, output: Path, *, made_from: Dict[str, str], gpu: int = -1
) -> Dict[str, Any]:
    """Score a pipeline on single sentences with gold tokens, and write the scores to a file.

    model (Path): The pipeline.
    test (Path): The test set.
    output (Path): The file.
    made_from (Dict[str, str]): What `describe_scores` returned before.
    gpu (int): GPU to use, -1 for the CPU.
    RETURNS (Dict[str, Any]): The content of the file.
    """
    evaluate(str(model), test, output=output, use_gpu=gpu, gold_preproc=True, silent=True)
    scores = {**measured(read_json(output)), MADE_FROM: made_from}
    if is_agreement(model, made_from["test"]):
        scores[AGREEMENT] = True
    write_json(output, scores)
    return scores


def find_pipelines(folder: Path) -> List[Path]:
    """Find the folder itself if it is a pipeline, and the best pipeline of each training in it."""
    places = ("meta.json", "model-best/meta.json", "*/model-best/meta.json")
    return sorted(path.parent for place in places for path in folder.glob(place))


def pipeline_name(model: Path) -> str:
    """Return the name of the pipeline in a folder: the folder's, or that of its training."""
    is_of_training = model.name in ("model-best", "model-last")
    return last_name(str(model.parent if is_of_training else model))


def describe_scores(model: Path, test_digest: str) -> Dict[str, str]:
    """Return the digests of what scores are made from, for the files of scores."""
    return {"pipeline": digest_folder(model), "test": test_digest}


def read_scores(path: Path) -> Dict[str, Any]:
    """Read a file of scores; empty if it does not exist or is damaged."""
    try:
        found = srsly.read_json(path) if path.exists() else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}


def measured(scores: Dict[str, Any]) -> Dict[str, Any]:
    """Leave out the scores that single sentences with gold tokens can't measure."""
    return {name: score for name, score in scores.items() if not name.startswith(UNMEASURED)}


def warn_of_training(model: Path) -> None:
    """Warn of a pipeline that can't be compared with others, because its training data has changed
    since, or because its training was not finished by tuning."""
    for path in find_changed(model):
        msg.warn(
            f"'{model}' was trained on another '{path}' than the present one: its scores can't be "
            "compared with others. Train it again, or remove it"
        )
    if waits_for_tuning(model):
        msg.warn(
            f"'{model}' was not tuned after its training. Run 'tune' on it, or train it again if "
            "its training was interrupted"
        )


def is_dev(model: Path, test_digest: str) -> bool:
    """Return whether a test set is the development set that a pipeline was tuned on."""
    return read_json(model / "meta.json").get(TUNED, {}).get("dev") == test_digest


def is_agreement(model: Path, test_digest: str) -> bool:
    """Return whether scores measure agreement with the teacher, who labelled the set."""
    is_of_teacher = read_json(model / "meta.json").get(AGREEMENT, False)
    return is_of_teacher and is_dev(model, test_digest)


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
    """Warn of a pipeline without a correct prediction, because its labels are not those of gold.

    others (Set[str]): Labels that it predicts and gold does not have.
    labels (Set[str]): Labels of gold.
    scores (Dict[str, Any]): The scores of the pipeline.
    model (Path): The folder of the pipeline.
    """
    if others and labels and not scores["ents_f"]:
        msg.warn(
            f"'{model}' predicts {', '.join(sorted(others))}, gold has "
            f"{', '.join(sorted(labels))}: no prediction can be right. Rename the labels of one "
            "of them"
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


def percentages(scores: Dict[str, Any]) -> Tuple[str, str, str]:
    """Format precision, recall and F1 of all entities, in percent."""
    precision, recall, f1 = (scores.get(key) or 0.0 for key in ("ents_p", "ents_r", "ents_f"))
    return f"{100 * precision:.2f}", f"{100 * recall:.2f}", f"{100 * f1:.2f}"
