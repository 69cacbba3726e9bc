"""More training steps for more sentences: `max_steps` of a config is the minimum."""

import math
from typing import Callable

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
) -> Callable[[Language], Language]:
    """Create the callback `spacy-distill.LengthenTraining.v1`, for `[initialize.before_init]`.

    It multiplies `[training] max_steps`, on which a schedule may depend, until the training corpus
    is seen often enough. A config for a few hundred sentences can then be used for thousands. If
    the corpus is streamed (`max_epochs = -1`), or can't be read, because a pipeline trained
    elsewhere is initialised again, nothing changes. The settings of the optimizer are interpolated
    afterwards, and the schedule of a config that was saved like this is fitted: see
    `interpolate_optimizer` and `fit_schedule`.

    epochs (float): How often each sentence is seen at least; 0 leaves `max_steps` as it is.
    sentences_a_step (float): Approximate number of sentences in a batch.
    from_steps (int): A training of fewer steps than this is meant to be short, and not lengthened.
    RETURNS (Callable[[Language], Language]): Changes the pipeline's config before training.
    RAISES (ValueError): D007 for a setting out of its range.
    """
    require(epochs >= 0, "epochs", epochs, "0 or more")
    require(sentences_a_step > 0, "sentences_a_step", sentences_a_step, "above 0")
    require(from_steps >= 0, "from_steps", from_steps, "0 or more")

    def lengthen_training(nlp: Language) -> Language:
        config = nlp.config.interpolate()
        own = config["training"]["max_steps"]
        is_stream = config["training"]["max_epochs"] == -1  # which may be infinite
        if own and epochs and own >= from_steps and not is_stream:
            n_sentences = sum(1 for _ in read_training_corpus(nlp))
            steps = lengthen(own, n_sentences, epochs=epochs, sentences_a_step=sentences_a_step)
            if steps > own:
                msg.info(f"{steps:,} steps instead of {own:,}, for {n_sentences:,} sentences")
                nlp.config["training"]["max_steps"] = steps
        interpolate_optimizer(nlp)
        fit_schedule(nlp)
        return nlp

    return lengthen_training


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
