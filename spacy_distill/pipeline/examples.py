"""Examples that a component is initialised from."""

from itertools import islice
from typing import Iterable, List, Optional, Set, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import resolve_dot_names

from ..soft_targets import find_taught_labels
from ..types import GetExamples

# How many `spacy train` gives of a stream, and how many are enough to meet the characters of a
# language.
GIVEN_OF_STREAM = 100
SAMPLE_SIZE = 10_000


def read_initial_examples(
    get_examples: GetExamples, nlp: Optional[Language]
) -> Tuple[List[Doc], List[str]]:
    """The documents that vocabularies are taken from, and their labels.

    With `max_epochs = -1` spaCy gives a component the first 100 examples, which don't have all
    characters. Then as many as are needed are read from the training corpus, too.

    get_examples (Callable[[], Iterable[Example]]): What spaCy gives.
    nlp (Optional[Language]): The pipeline, whose config has the training corpus.
    RETURNS (Tuple[List[Doc], List[str]]): The documents to predict, and the labels of the gold ones
        and of their soft targets, sorted.
    """
    docs: List[Doc] = []
    labels: Set[str] = set()
    collect(get_examples(), docs, labels)
    if nlp is not None and len(docs) == GIVEN_OF_STREAM:
        collect(sample_stream(nlp), docs, labels)
    return docs, sorted(labels)


def sample_stream(nlp: Language) -> Iterable[Example]:
    """The first examples of a pipeline's training corpus, if it is a stream that can be read."""
    try:
        config = nlp.config.interpolate()
        if config["training"]["max_epochs"] != -1:
            return
        (corpus,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
        yield from islice(corpus(nlp), SAMPLE_SIZE)
    except (OSError, ValueError):
        return  # of a pipeline from elsewhere; training would say what is wrong


def collect(examples: Iterable[Example], docs: List[Doc], labels: Set[str]) -> None:
    for eg in examples:
        docs.append(eg.predicted)
        labels |= find_taught_labels(eg.reference)
