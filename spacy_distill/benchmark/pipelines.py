"""The systems that are spaCy pipelines: student, teacher, stock `ner`."""

from typing import Any, Iterable, List

import spacy
from spacy.language import Language
from thinc.api import Config

from ..files import folder_size
from ..layers.word_cache import find_caches
from ..loading import load_pipeline
from ..parameters import count_parameters, find_nodes
from .loaded import Loaded

# The shape of the `ner` of en_core_web_sm, but with its own tok2vec layer.
STOCK_NER = """
[model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 64
maxout_pieces = 2
use_upper = true
nO = null

[model.tok2vec]
@architectures = "spacy.HashEmbedCNN.v2"
pretrained_vectors = null
width = 96
depth = 4
embed_size = 2000
window_size = 1
maxout_pieces = 3
subword_features = true
"""


def load_spacy(*, path: str, sort: bool = False) -> Loaded:
    """Load a pipeline.

    path (str): Its folder or package.
    sort (bool): Whether it reads texts of similar length together, at batch sizes above 1.
    RETURNS (Loaded): Runs `nlp.pipe`, and counts entities.
    """
    nlp = load_pipeline(path)
    caches = find_caches(nlp)

    def run(texts: List[str], batch_size: int) -> int:
        if sort and batch_size > 1:
            texts = sorted(texts, key=len)
        return sum(len(doc.ents) for doc in nlp.pipe(texts, batch_size=batch_size))

    def clear_cache() -> None:
        for cache in caches:
            cache.empty()

    return Loaded(
        run,
        n_parameters=count_parameters(find_nodes(nlp)),
        n_bytes=folder_size(nlp.path),
        clear_cache=clear_cache if caches else None,
        nlp=nlp,
    )


def make_stock_ner(lang: str, labels: Iterable[str]) -> Language:
    """Make a pipeline with spaCy's `ner`, untrained: like a trained one, it takes one action per
    token."""
    nlp = spacy.blank(lang)
    ner: Any = nlp.add_pipe("ner", config=Config().from_str(STOCK_NER))
    for label in labels:
        ner.add_label(label)
    nlp.initialize()
    return nlp
