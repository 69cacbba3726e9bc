"""Scores of trained pipelines, and what they were made from, for the commands that use them."""

from pathlib import Path
from typing import Any, Dict, List, Tuple

from spacy.cli.evaluate import evaluate
from wasabi import msg

from ..errors import Errors
from ..files import digest_folder, last_name, read_json, write_json
from ..provenance import TUNED, find_changed, waits_for_tuning

# Key in a file of scores: the digests of what it was made from.
MADE_FROM = "made_from"
# Key in a file of scores: whether they were measured on the teacher's labels, because there was no
# gold. In the metadata of a pipeline: whether its development set has the teacher's labels.
AGREEMENT = "agreement"
# Beginnings of the names of scores that single sentences with gold tokens can't measure: they have
# neither the categories nor the spans of their documents, and their boundaries are known.
UNMEASURED = ("cats_", "spans_", "sents_", "token_")


def find_pipelines(folder: Path) -> List[Path]:
    """Find the folder itself if it is a pipeline, and the best pipeline of each training in it.

    RAISES (ValueError): D410 if there are none.
    """
    places = ("meta.json", "model-best/meta.json", "*/model-best/meta.json")
    found = sorted(path.parent for place in places for path in folder.glob(place))
    if not found:
        raise ValueError(Errors.D410.format(path=folder))
    return found


def pipeline_name(model: Path) -> str:
    """Return the name of the pipeline in a folder: the folder's, or that of its training."""
    is_of_training = model.name in ("model-best", "model-last")
    return last_name(str(model.parent if is_of_training else model))


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


def measured(scores: Dict[str, Any]) -> Dict[str, Any]:
    """Leave out the scores that single sentences with gold tokens can't measure."""
    return {name: score for name, score in scores.items() if not name.startswith(UNMEASURED)}


def describe_scores(model: Path, test_digest: str) -> Dict[str, str]:
    """Return the digests of what scores are made from, for the files of scores."""
    return {"pipeline": digest_folder(model), "test": test_digest}


def is_dev(model: Path, test_digest: str) -> bool:
    """Return whether a test set is the development set that a pipeline was tuned on."""
    return read_json(model / "meta.json").get(TUNED, {}).get("dev") == test_digest


def is_agreement(model: Path, test_digest: str) -> bool:
    """Return whether scores measure agreement with the teacher, who labelled the set."""
    is_of_teacher = read_json(model / "meta.json").get(AGREEMENT, False)
    return is_of_teacher and is_dev(model, test_digest)


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


def percentages(scores: Dict[str, Any]) -> Tuple[str, str, str]:
    """Format precision, recall and F1 of all entities, in percent."""
    precision, recall, f1 = (scores.get(key) or 0.0 for key in ("ents_p", "ents_r", "ents_f"))
    return f"{100 * precision:.2f}", f"{100 * recall:.2f}", f"{100 * f1:.2f}"
