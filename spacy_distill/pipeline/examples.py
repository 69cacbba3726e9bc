"""The examples that a component is initialised from."""

from itertools import islice
from typing import Iterable, List, Optional, Set, Tuple

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import resolve_dot_names

from ..soft_targets import find_taught_labels
from ..types import GetExamples

# Number of examples that `spacy train` passes from a stream, and a number that is enough to cover
# the characters of a language.
GIVEN_OF_STREAM = 100
SAMPLE_SIZE = 10_000


def read_initial_examples(
    get_examples: GetExamples, nlp: Optional[Language]
) -> Tuple[List[Doc], List[str]]:
    """Return the documents that the vocabularies are built from, and their labels.

    With `max_epochs = -1`, spaCy passes only the first 100 examples to a component, which do not
    contain all characters. In this case, more examples are read from the training corpus.

    get_examples (Callable[[], Iterable[Example]]): The function that spaCy passes.
    nlp (Optional[Language]): The pipeline, whose config names the training corpus.
    RETURNS (Tuple[List[Doc], List[str]]): The predicted documents, and the labels of the entities
        and soft targets of the reference documents, sorted.
    """
    docs: List[Doc] = []
    labels: Set[str] = set()
    collect(get_examples(), docs, labels)
    if nlp is not None and len(docs) == GIVEN_OF_STREAM:
        collect(sample_stream(nlp), docs, labels)
    return docs, sorted(labels)


def sample_stream(nlp: Language) -> Iterable[Example]:
    """Yield the first examples of a pipeline's training corpus, if it is a readable stream."""
    try:
        config = nlp.config.interpolate()
        if config["training"]["max_epochs"] != -1:
            return
        (corpus,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
        yield from islice(corpus(nlp), SAMPLE_SIZE)
    except (OSError, ValueError):
        return  # a pipeline made elsewhere; errors of the corpus are reported by training itself


def collect(examples: Iterable[Example], docs: List[Doc], labels: Set[str]) -> None:
    for eg in examples:
        docs.append(eg.predicted)
        labels |= find_taught_labels(eg.reference)
