"""What a pipeline finds in the test set, read once."""

from pathlib import Path
from time import perf_counter
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc
from tqdm import tqdm

from ..docbins import read_gold
from ..errors import Errors
from ..pipeline.ner_tagger import NERTagger

# Where the entities lie in `doc.spans` with their confidences, while predicting.
SPANS_KEY = "spacy-distill.report"


class Entity(NamedTuple):
    """An entity, from token `start` up to, not including, token `end`."""

    start: int
    end: int
    label: str
    confidence: Optional[float] = None  # from 0 to 1; None where the component gives none

    @property
    def span(self) -> Tuple[int, int]:
        return self.start, self.end

    @property
    def key(self) -> Tuple[int, int, str]:
        """What makes it right or wrong."""
        return self.start, self.end, self.label


class Sentence(NamedTuple):
    """A sentence of the test set."""

    text: str
    offsets: List[Tuple[int, int]]  # first character of each token, and the one after its last
    gold: List[Entity]


class Predictions(NamedTuple):
    """What a pipeline found in each sentence, and how long it took."""

    entities: List[List[Entity]]
    scores: Dict[str, Any]  # of spaCy's scorer
    seconds: float
    n_words: int

    @property
    def words_per_second(self) -> float:
        return self.n_words / max(self.seconds, 1e-9)


def read_sentences(path: Path, nlp: Language, *, limit: int = 0) -> List[Sentence]:
    """Read the sentences of a test set that are annotated.

    path (Path): The test set (.spacy).
    nlp (Language): The student.
    limit (int): How many documents are read at most; 0: all.
    RETURNS (List[Sentence]): The sentences, as `spacy evaluate --gold-preproc` sees them.
    RAISES (ValueError): D703 if none is annotated.
    """
    docs = [eg.reference for eg in read_gold(path, nlp, limit=limit)]
    if not any(doc.has_annotation("ENT_IOB") for doc in docs):
        raise ValueError(Errors.D703.format(path=path))
    return [make_sentence(doc) for doc in docs]


def make_sentence(doc: Doc) -> Sentence:
    """A sentence with gold entities, as plain values."""
    offsets = [(token.idx, token.idx + len(token)) for token in doc]
    gold = [Entity(ent.start, ent.end, ent.label_) for ent in doc.ents]
    return Sentence(doc.text, offsets, gold)


def predict(nlp: Language, path: Path, *, limit: int = 0, name: str = "pipeline") -> Predictions:
    """Let a pipeline read the test set, on the tokens of the test set.

    nlp (Language): The pipeline. Its `ner_tagger` is set to give confidences.
    path (Path): The test set (.spacy).
    limit (int): How many documents are read at most; 0: all.
    name (str): What the progress bar calls it.
    RETURNS (Predictions): Entities, scores and time.
    """
    for component, pipe in nlp.pipeline:
        if isinstance(pipe, NERTagger):
            pipe.spans_key = f"{SPANS_KEY}.{component}"
    examples = read_gold(path, nlp, limit=limit)
    n_words = sum(len(eg.predicted) for eg in examples)
    with tqdm(total=n_words, unit=" words", unit_scale=True, desc=name, disable=None) as bar:
        start = perf_counter()
        for doc in nlp.pipe(eg.predicted for eg in examples):
            bar.update(len(doc))
        seconds = perf_counter() - start
    entities = [
        leave_out_missing(find_entities(eg.predicted), eg.reference.to_array("ENT_IOB"))
        for eg in examples
    ]
    return Predictions(entities, get_ner_prf(examples), seconds, n_words)


def find_entities(doc: Doc) -> List[Entity]:
    """The entities of a document, with confidences if the component that found them gave any."""
    scores: Dict[Tuple[int, int, str], float] = {}
    for key, group in doc.spans.items():
        if key.startswith(SPANS_KEY):
            for span, score in zip(group, group.attrs["scores"]):
                # The first has found it, to the next it was there.
                scores.setdefault((span.start, span.end, span.label_), score)
    found = [(ent.start, ent.end, ent.label_) for ent in doc.ents]
    return [Entity(*one, scores.get(one)) for one in found]


def leave_out_missing(entities: Sequence[Entity], ent_iob: Any) -> List[Entity]:
    """Entities that can be right or wrong, as spaCy's scorer sees it: all their tokens annotated.

    entities (Sequence[Entity]): What was found.
    ent_iob (ndarray): Of the gold tokens (n_tokens,), 0 where annotation is missing.
    """
    return [ent for ent in entities if (ent_iob[ent.start : ent.end] != 0).all()]
