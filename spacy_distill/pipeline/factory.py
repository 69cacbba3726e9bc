"""The factory of the component `ner_tagger`, and its default config: the compact student."""

from typing import Callable, Optional

from spacy.language import Language
from thinc.api import Config

from ..losses import DistillationLoss
from ..types import TaggerModel, TagScheme
from .ner_tagger import NERTagger

default_config = """
[ner_tagger]
scheme = null
spans_key = null
score_tuned = false

[ner_tagger.model]
@architectures = "spacy-distill.CharCNNBiLSTM.v1"

[ner_tagger.model.lookup]
@layers = "spacy-distill.Lookup.v1"

[ner_tagger.model.char_cnn]
@layers = "spacy-distill.CharCNN.v1"

[ner_tagger.model.bilstm]
@layers = "spacy-distill.BiLSTM.v1"

[ner_tagger.loss]
@losses = "spacy-distill.DistillationLoss.v1"

[ner_tagger.scorer]
@scorers = "spacy.ner_scorer.v1"
"""


@Language.factory(
    "ner_tagger",
    assigns=["doc.ents", "token.ent_iob", "token.ent_type"],
    default_config=Config().from_str(default_config)["ner_tagger"],
    default_score_weights={"ents_f": 1.0, "ents_p": 0.0, "ents_r": 0.0, "ents_per_type": None},
)
def make_ner_tagger(
    nlp: Language,
    name: str,
    model: TaggerModel,
    loss: DistillationLoss,
    scheme: Optional[TagScheme],
    spans_key: Optional[str],
    score_tuned: bool,
    scorer: Optional[Callable],
) -> NERTagger:
    """Create a `ner_tagger`.

    model (Model[List[Doc], List[Floats2d]]): Scores the tags: one row of logits per token.
    loss (DistillationLoss): The training loss.
    scheme (Optional[Literal["iob", "biluo"]]): How entities are encoded as tags; null: the better
        scheme for the model, "iob" if it has a CRF, else "biluo".
    spans_key (Optional[str]): Key of `doc.spans` under which the entities are stored together with
        their confidences, `doc.spans[spans_key].attrs["scores"]`; null: they are not stored. The
        confidences are the model's own: next to an entity or a sentence start that was set before,
        they may be low, because the model does not know of it.
    score_tuned (bool): Whether `ents_f_tuned` in the scores is the best F1 that a constant for `O`
        achieves, instead of `ents_f`. (`spacy-distill tune` prefers small constants, and stays up
        to half a point below it, or more with few entities.) Like `tune`, it ignores what later
        components change. The best weights before tuning are not the best ones after it: with
        `ents_f_tuned = 1.0` in `[training.score_weights]`, training selects the weights by this
        score. Until `tune` sets it to false, each document's scores are kept as long as the
        document.
    scorer (Optional[Callable]): The scoring method.
    """
    return NERTagger(
        nlp.vocab,
        model,
        name,
        loss=loss,
        scheme=scheme,
        spans_key=spans_key,
        score_tuned=score_tuned,
        scorer=scorer,
    )
