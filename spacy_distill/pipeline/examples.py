"""The examples that a component is initialised from."""

from dataclasses import dataclass, field
from itertools import islice
from typing import Iterable, Iterator, List, Optional, Set

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import resolve_dot_names

from ..lines import divide_entities
from ..soft_targets import find_taught_labels
from ..types import GetExamples

# Number of examples that `spacy train` passes from a stream, and a number that is enough to cover
# the characters of a language.
GIVEN_OF_STREAM = 100
SAMPLE_SIZE = 10_000


@dataclass
class InitialExamples:
    """What a component is initialised from.

    docs (List[Doc]): The predicted documents.
    labels (Set[str]): The labels of the entities and soft targets of the reference documents.
    n_cut, n_whole (int): Numbers of their entities, as `divide_entities` divides them.
    """

    docs: List[Doc] = field(default_factory=list)
    labels: Set[str] = field(default_factory=set)
    n_cut: int = 0
    n_whole: int = 0

    def add(self, examples: Iterable[Example]) -> None:
        for eg in examples:
            self.docs.append(eg.predicted)
            self.labels |= find_taught_labels(eg.reference)
            cut, whole = divide_entities(eg.reference)
            self.n_cut += len(cut)
            self.n_whole += len(whole)


def read_initial_examples(get_examples: GetExamples, nlp: Optional[Language]) -> InitialExamples:
    """Read the examples that a component is initialised from.

    With `max_epochs = -1`, spaCy passes only the first 100 examples to a component, which do not
    contain all characters. In this case, more examples are read from the training corpus.

    get_examples (Callable[[], Iterable[Example]]): The function that spaCy passes.
    nlp (Optional[Language]): The pipeline, whose config names the training corpus.
    """
    found = InitialExamples()
    found.add(get_examples())
    if nlp is not None and len(found.docs) == GIVEN_OF_STREAM:
        found.add(sample_stream(nlp))
    return found


def sample_stream(nlp: Language) -> Iterable[Example]:
    """Yield the first examples of a pipeline's training corpus, if it is a readable stream."""
    is_stream = nlp.config.interpolate()["training"]["max_epochs"] == -1
    return islice(read_training_corpus(nlp), SAMPLE_SIZE if is_stream else 0)


def read_training_corpus(nlp: Language) -> Iterator[Example]:
    """Yield the examples of a pipeline's training corpus, as far as it can be read."""
    try:
        config = nlp.config.interpolate()
        (corpus,) = resolve_dot_names(config, [config["training"]["train_corpus"]])
        yield from corpus(nlp)
    except (OSError, ValueError):
        return  # a pipeline made elsewhere; errors of the corpus are reported by training itself
