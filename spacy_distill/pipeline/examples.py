"""Examples that a component is initialised from."""

from itertools import islice
from typing import Iterable, List, Optional, Set, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import resolve_dot_names

from ..soft_targets import find_labels
from ..types import GetExamples

# Of a stream: enough to meet the characters of a language.
SAMPLE_SIZE = 10_000


def read_initial_examples(
    get_examples: GetExamples, nlp: Optional[Language]
) -> Tuple[List[Doc], List[str]]:
    """The documents that vocabularies are taken from, and their labels.

    With `max_epochs = -1` spaCy gives a component the first 100 examples, which don't have all
    characters. Then as many as are needed are read from the training corpus.

    get_examples (Callable[[], Iterable[Example]]): What spaCy gives.
    nlp (Optional[Language]): The pipeline, whose config has the training corpus.
    RETURNS (Tuple[List[Doc], List[str]]): The documents to predict, and the labels of the gold ones
        and of their soft targets, sorted.
    """
    examples: Iterable[Example]
    if nlp is not None and nlp.config["training"]["max_epochs"] == -1:
        config = nlp.config.interpolate()
        (corpus,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
        examples = islice(corpus(nlp), SAMPLE_SIZE)
    else:
        examples = get_examples()
    docs: List[Doc] = []
    labels: Set[str] = set()
    for eg in examples:
        docs.append(eg.predicted)
        labels |= find_labels(eg.reference)
    return docs, sorted(labels)
