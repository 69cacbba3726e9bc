"""Longer training for more sentences: `max_steps` of a config is the minimum."""

import math
from typing import Any, Callable, Dict, List, Optional

from spacy.language import Language
from wasabi import msg

from .checks import require
from .pipeline.examples import read_training_corpus

# Defaults: how often each sentence is seen at least, and about how many are in a batch.
EPOCHS, SENTENCES_A_STEP = 3.0, 8.0


def build_lengthen_training_v1(
    *,
    epochs: float = EPOCHS,
    sentences_a_step: float = SENTENCES_A_STEP,
    from_steps: int = 0,
    large: int = 0,
    changes: Optional[Dict[str, List[Any]]] = None,
) -> Callable[[Language], Language]:
    """Create the callback `spacy-distill.LengthenTraining.v1`, for `[initialize.before_init]`.

    A config for a few hundred sentences can then be used for thousands: with a large training
    corpus, some settings of `[training]` change; then `max_steps`, on which a schedule may depend,
    is multiplied until the corpus is seen often enough. If the corpus is streamed
    (`max_epochs = -1`), or can't be read, because a pipeline trained elsewhere is initialised
    again, nothing changes. The settings of the optimizer are interpolated afterwards, and the
    schedule of a config that was saved like this is fitted: see `interpolate_optimizer` and
    `fit_schedule`.

    epochs (float): How often each sentence is seen at least; 0 does not multiply `max_steps`.
    sentences_a_step (float): Approximate number of sentences in a batch.
    from_steps (int): A training of fewer steps than this is meant to be short, and stays as it is.
    large (int): With so many sentences and more, settings change; 0: they never do.
    changes (Optional[Dict[str, List[Any]]]): Which settings of `[training]`, each with two values:
        that of the config, and that for a large corpus. A setting with another value is kept,
        because somebody chose it.
    RETURNS (Callable[[Language], Language]): Changes the pipeline's config before training.
    RAISES (ValueError): D007 for a setting out of its range, or, when it is called, for a change of
        a setting that does not exist.
    """
    changes = changes or {}
    require(epochs >= 0, "epochs", epochs, "0 or more")
    require(sentences_a_step > 0, "sentences_a_step", sentences_a_step, "above 0")
    require(from_steps >= 0, "from_steps", from_steps, "0 or more")
    require(large >= 0, "large", large, "0 or more")
    for name, values in changes.items():
        require(len(values) == 2, f"changes.{name}", values, "two values: [usual, with much text]")

    def lengthen_training(nlp: Language) -> Language:
        training = nlp.config.interpolate()["training"]
        for name in changes:
            require(name in training, "changes", name, "a setting of [training]")
        is_stream = training["max_epochs"] == -1  # which may be infinite
        if training["max_steps"] and training["max_steps"] >= from_steps and not is_stream:
            n_sentences = sum(1 for _ in read_training_corpus(nlp))
            if large and n_sentences >= large:
                change_settings(nlp, changes, n_sentences=n_sentences)
            own = nlp.config.interpolate()["training"]["max_steps"]
            steps = lengthen(own, n_sentences, epochs=epochs, sentences_a_step=sentences_a_step)
            if steps > own:
                msg.info(f"{steps:,} steps instead of {own:,}, for {n_sentences:,} sentences")
                nlp.config["training"]["max_steps"] = steps
        interpolate_optimizer(nlp)
        fit_schedule(nlp)
        return nlp

    return lengthen_training


def change_settings(nlp: Language, changes: Dict[str, List[Any]], *, n_sentences: int) -> None:
    """Change those settings of `[training]` that still have their usual value.

    nlp (Language): The pipeline, whose config is changed.
    changes (Dict[str, List[Any]]): The settings, each with its usual and its new value.
    n_sentences (int): Size of the training corpus, for the message.
    """
    training = nlp.config.interpolate()["training"]
    changed = []
    for name, (usual, new) in changes.items():
        if training[name] == usual:
            nlp.config["training"][name] = new
            changed.append(f"{name} {new} instead of {usual}")
    if changed:
        msg.info(f"For {n_sentences:,} sentences: {', '.join(changed)}")


def lengthen(
    steps: int,
    n_sentences: int,
    *,
    epochs: float = EPOCHS,
    sentences_a_step: float = SENTENCES_A_STEP,
) -> int:
    """Return the smallest multiple of the steps in which each sentence is seen `epochs` times."""
    return steps * max(1, math.ceil(epochs * n_sentences / sentences_a_step / steps))


def interpolate_optimizer(nlp: Language) -> None:
    """Interpolate the optimizer's settings, such as those of a schedule that ends at `max_steps`.

    To resume training, and in `spacy debug data`, spaCy makes the optimizer from this block alone,
    and can't resolve references to other blocks.
    """
    nlp.config["training"]["optimizer"] = nlp.config.interpolate()["training"]["optimizer"]


def fit_schedule(nlp: Language) -> None:
    """Let a schedule whose `total_steps` are below `max_steps` end with the training.

    In a config saved by an earlier training, `total_steps` is a number. If `max_steps` is raised,
    the learning rate would be 0 for the rest of the training.
    """
    steps = nlp.config.interpolate()["training"]["max_steps"]
    schedule = nlp.config["training"]["optimizer"].get("learn_rate")  # or a number
    if isinstance(schedule, dict) and 0 < schedule.get("total_steps", 0) < steps:
        schedule["total_steps"] = steps
