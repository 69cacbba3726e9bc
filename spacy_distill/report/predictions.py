"""Predict the entities of the test set with a pipeline, score them and time the prediction."""

from pathlib import Path
from time import perf_counter
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc
from spacy.training import Example
from tqdm import tqdm

from ..docbins import read_gold
from ..entities import read_confidences
from ..errors import Errors
from ..pipeline.ner_tagger import NERTagger

# Key in `doc.spans` under which all components store entities with their confidences.
SPANS_KEY = "spacy-distill.report"


class Entity(NamedTuple):
    """An entity, from token `start` up to but not including token `end`."""

    start: int
    end: int
    label: str
    confidence: Optional[float] = None  # from 0 to 1; None if the component gives none

    @property
    def span(self) -> Tuple[int, int]:
        return self.start, self.end

    @property
    def key(self) -> Tuple[int, int, str]:
        """The values that must equal those of a gold entity if this one is correct."""
        return self.start, self.end, self.label


class Sentence(NamedTuple):
    """A sentence of the test set."""

    text: str
    offsets: List[Tuple[int, int]]  # first character of each token, and the one after its last
    gold: List[Entity]


class Predictions(NamedTuple):
    """The entities that a pipeline predicts in each sentence, and how long that took."""

    entities: List[List[Entity]]
    scores: Dict[str, Any]  # from spaCy's scorer
    seconds: float
    n_words: int

    @property
    def words_per_second(self) -> float:
        return self.n_words / max(self.seconds, 1e-9)


def read_sentences(path: Path, nlp: Language, *, limit: int = 0) -> List[Sentence]:
    """Read the sentences of a test set.

    path (Path): The test set (.spacy).
    nlp (Language): The student.
    limit (int): The most documents to read; 0: all.
    RETURNS (List[Sentence]): The sentences, as `spacy evaluate --gold-preproc` reads them.
    RAISES (ValueError): D703 if none is annotated.
    """
    docs = [eg.reference for eg in read_gold(path, nlp, limit=limit)]
    if not any(doc.has_annotation("ENT_IOB") for doc in docs):
        raise ValueError(Errors.D703.format(path=path))
    return [make_sentence(doc) for doc in docs]


def make_sentence(doc: Doc) -> Sentence:
    """Convert a document to a `Sentence` with its gold entities."""
    offsets = [(token.idx, token.idx + len(token)) for token in doc]
    gold = [Entity(ent.start, ent.end, ent.label_) for ent in doc.ents]
    return Sentence(doc.text, offsets, gold)


def predict(nlp: Language, path: Path, *, limit: int = 0, name: str = "pipeline") -> Predictions:
    """Run a pipeline on the test set, with the tokens of the test set.

    nlp (Language): The pipeline. Its `ner_tagger` components are set to give confidences.
    path (Path): The test set (.spacy).
    limit (int): The most documents to read; 0: all.
    name (str): The name of the pipeline in the progress bar.
    RETURNS (Predictions): Entities, scores and time.
    """
    for _, pipe in nlp.pipeline:
        if isinstance(pipe, NERTagger):
            pipe.spans_key = SPANS_KEY
    examples = read_gold(path, nlp, limit=limit)
    n_words = sum(len(eg.predicted) for eg in examples)
    with tqdm(total=n_words, unit=" words", unit_scale=True, desc=name, disable=None) as bar:
        start = perf_counter()
        for eg, doc in zip(examples, nlp.pipe([eg.predicted for eg in examples])):
            eg.predicted = doc  # which may have other tokens, or be another document
            bar.update(len(eg.reference))
        seconds = perf_counter() - start
    entities = [
        leave_out_missing(find_entities(eg), eg.reference.to_array("ENT_IOB")) for eg in examples
    ]
    return Predictions(entities, get_ner_prf(examples), seconds, n_words)


def find_entities(eg: Example) -> List[Entity]:
    """List the predicted entities of an example by its gold tokens, aligned as spaCy's scorer does.

    RETURNS (List[Entity]): The entities, with confidences if the component that set them gave any.
        If several lie within the same gold token, only the first one is returned.
    """
    confidences = read_confidences(eg.predicted, SPANS_KEY)
    found: List[Entity] = []
    for ent in eg.predicted.ents:
        gold = eg.alignment.x2y[ent.start : ent.end].tolist()
        if gold and not (found and gold[0] < found[-1].end):
            confidence = confidences.get((ent.start_char, ent.end_char, ent.label_))
            found.append(Entity(gold[0], gold[-1] + 1, ent.label_, confidence))
    return found


def leave_out_missing(entities: Sequence[Entity], ent_iob: Any) -> List[Entity]:
    """Leave out entities with tokens that lack gold annotation, as spaCy's scorer does.

    entities (Sequence[Entity]): The predicted entities.
    ent_iob (ndarray): ENT_IOB of the gold tokens, 0 if annotation is missing. (n_tokens,)
    RETURNS (List[Entity]): The entities all of whose tokens are annotated.
    """
    return [ent for ent in entities if (ent_iob[ent.start : ent.end] != 0).all()]
