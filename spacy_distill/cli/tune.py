"""`spacy-distill tune`: tune the bias of the tag O."""

import shutil
from pathlib import Path
from typing import Annotated, Any, Dict, List, Optional, Sequence

import typer
from spacy.language import Language
from spacy.training import Example
from wasabi import msg

from ..docbins import read_gold
from ..errors import Errors
from ..files import digest_source, make_parent, replacing, write_json
from ..lengthen import interpolate_optimizer
from ..loading import find_code, import_code, load_pipeline, use_gpu
from ..pipeline.ner_tagger import NERTagger
from ..provenance import TUNED, digest_components, digest_inputs
from ..teachers.alignment import run_pipes
from ..teachers.ner_tagger import find_ner_tagger
from ..tuning import Tuned, tune_outside
from .options import Code, Gpu


def tune_cli(
    model: Annotated[Path, typer.Argument(help="Folder of the trained pipeline, which is changed")],
    dev: Annotated[Path, typer.Argument(help="Development set (.spacy)")],
    output: Annotated[
        Optional[Path],
        typer.Option(
            "--output", "-o", help="JSON file for the chosen constant and F1 before and after"
        ),
    ] = None,
    gpu: Gpu = -1,
    code: Code = None,
) -> None:
    """Tune the bias of the tag O for F1 on the development set.

    Adds a constant to the score of O if that raises F1 by at least half a point, or by at least 2.5
    entities if there are fewer than 500; among constants close to the best, the smallest. With many
    entity types and few examples, a model predicts O too often. A pipeline that is already tuned on
    the same development set is left unchanged. If it has several 'ner_tagger', each one that is not
    tuned yet (score_tuned) is tuned, in order.
    """
    if output is not None:
        make_parent(output)
    use_gpu(gpu)
    import_code(find_code(code))
    tuned = tune_pipeline(model, dev)
    if output is not None:
        write_json(output, tuned._asdict())


def tune_pipeline(model: Path, dev: Path, *, name: Optional[str] = None) -> Tuned:
    """Tune a pipeline on disk, unless it is tuned on the same development set already.

    model (Path): Folder of the pipeline.
    dev (Path): The development set.
    name (Optional[str]): The component to tune if none is marked by `score_tuned`; None: the last
        `ner_tagger`.
    RETURNS (Tuned): The result, or that of the last component if several are tuned: its F1 includes
        the entities of those before it.
    RAISES (ValueError): D009 for a development set without documents, and errors of `read_gold`,
        `find_ner_tagger` and `tune_outside`.
    """
    nlp = load_pipeline(model)
    examples = read_gold(dev, nlp)
    if not examples:
        raise ValueError(Errors.D009.format(path=dev))
    untuned = find_untuned(nlp)
    known = find_known(nlp, model, dev)
    if known is not None and not untuned:
        msg.info(f"'{model}' is already tuned on '{dev}'")
        show_tuned(known, dev)
        return known
    is_changed = False
    for ner in untuned or [find_ner_tagger(nlp, name=name)]:
        msg.info(f"Tuning '{ner.name}'")
        tuned = tune_component(nlp, ner, examples)
        show_tuned(tuned, dev)
        if tuned.added or ner.score_tuned:
            forget_untuned(nlp, ner, examples)
            is_changed = True
    save_tuned(nlp, model, {**tuned._asdict(), "dev": digest_source(dev)}, is_changed=is_changed)
    return tuned


def find_known(nlp: Language, model: Path, dev: Path) -> Optional[Tuned]:
    """Return the result of an earlier tuning on the same development set; None if there is none, or
    if the components have changed since."""
    known = nlp.meta.get(TUNED, {})
    components = digest_components(nlp.component_names, model)
    if known.get("dev") != digest_source(dev) or known.get("components") != components:
        return None
    return Tuned(*(known[name] for name in Tuned._fields))


def save_tuned(nlp: Language, model: Path, meta: Dict[str, Any], *, is_changed: bool) -> None:
    """Replace a pipeline on disk, or only its config and metadata if no component has changed.

    meta (Dict[str, Any]): The result of tuning, and the digest of the development set.
    """
    nlp.meta[TUNED] = {**meta, "inputs": digest_inputs(nlp.config)}
    interpolate_optimizer(nlp)
    with replacing(model) as folder:
        shutil.copytree(model, folder)  # including files that spaCy does not write
        if is_changed:
            nlp.to_disk(folder)
        nlp.meta[TUNED]["components"] = digest_components(nlp.component_names, folder)
        nlp.to_disk(folder, exclude=["vocab", "tokenizer", *nlp.component_names])


def find_untuned(nlp: Language) -> List[NERTagger]:
    """Return the components whose weights training chose by their tuned score, in order."""
    return [pipe for _, pipe in nlp.pipeline if isinstance(pipe, NERTagger) and pipe.score_tuned]


def tune_component(nlp: Language, ner: NERTagger, examples: Sequence[Example]) -> Tuned:
    """Tune a component after running those before it, which may set entities or be listened to.

    The examples are not modified.
    """
    docs = run_pipes(nlp, [eg.predicted.copy() for eg in examples], before=ner)
    return tune_outside(ner, [Example(doc, eg.reference) for doc, eg in zip(docs, examples)])


def show_tuned(tuned: Tuned, dev: Path) -> None:
    before, after = 100 * tuned.before, 100 * tuned.after
    if tuned.added:
        msg.good(f"{tuned.added:+g} nats for O: F1 on '{dev}' {before:.2f} -> {after:.2f}")
    else:
        msg.info(
            "The score of O is unchanged: no constant improves F1 by more than chance "
            f"({after:.2f} on '{dev}')"
        )


def forget_untuned(nlp: Language, ner: NERTagger, examples: Sequence[Example]) -> None:
    """Score a pipeline again, without the score that tuning would reach (`ents_f_tuned`), which is
    meaningless for a tuned pipeline, and for further training with its config."""
    ner.score_tuned = nlp.get_pipe_config(ner.name)["score_tuned"] = False
    weights = nlp.config["training"]["score_weights"]
    if foreseen := weights.get("ents_f_tuned"):
        weights.update(ents_f=(weights.get("ents_f") or 0.0) + foreseen, ents_f_tuned=None)
    performance = nlp.meta.setdefault("performance", {})
    # Tuning changes only entities, and single sentences can't measure some of the other scores.
    scores = nlp.evaluate(examples)
    performance.update({name: score for name, score in scores.items() if name.startswith("ents_")})
    performance.pop("ents_f_tuned", None)
