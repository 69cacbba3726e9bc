"""A teacher from a pipeline with spaCy's own `ner`: its scores of moves on the greedy path.

The component reads a text from left to right, and each of its moves consumes one token: B, I, L and
U with a label, or O. Which moves are valid depends on the previous moves, so a token's distribution
is conditional on the path: it is the softmax over the valid moves. Its argmax is the move that the
component makes (`greedy_parse` in spacy/pipeline/transition_parser.pyx).
"""

from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy
from spacy.language import Language
from spacy.pipeline import EntityRecognizer
from spacy.tokens import Doc

from ..batches import split_rows
from ..distributions import floor_probs, log_softmax
from ..entities import TokenAttributes
from ..errors import Errors
from ..tags import OUTSIDE, make_tags, split_tag
from .alignment import align_rows, name_of, retokenise, run_pipes
from .doc_ents import says_it_sets

# Documents are processed in parallel, about this many tokens at a time: for each token, the
# component's model holds the vectors of every feature, 16 kB per token.
TOKENS_IN_STEP = 20_000
# Everything that determines which moves are valid in spaCy
# (spacy/pipeline/_parser_internals/ner.pyx): the label of the open entity; for the next token, its
# preset entity and whether it is whitespace; for the token after it, whether there is one, its
# preset entity and its sentence start.
Situation = Tuple[Any, ...]


@dataclass(frozen=True)
class StockNERTeacher:
    """A pipeline, and the component of it that teaches, on the pipeline's own tokenisation.

    The greedy path is used even if the component's `beam_width` is above 1.
    """

    nlp: Language
    ner: EntityRecognizer
    valid_moves: Dict[Situation, numpy.ndarray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        # Otherwise moves for preset entities are added when the first one occurs, and the tags
        # change.
        for name, pipe in self.nlp.pipeline:
            if pipe is self.ner:
                return
            if says_it_sets(self.nlp, name):
                for label in getattr(pipe, "labels", ()):
                    self.ner.add_label(label)

    @property
    def name(self) -> str:
        return name_of(self.nlp)

    @property
    def tags(self) -> List[str]:
        """The tags, in the scheme `biluo`."""
        return make_tags(self.ner.labels, scheme="biluo")

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """See `Teacher`."""
        tags = self.tags  # they are made from the labels each time
        own = run_pipes(self.nlp, (retokenise(self.nlp, doc) for doc in docs), before=self.ner)
        return [align_rows(*parts, tags) for parts in zip(docs, own, self.predict_own(own))]

    def predict_own(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """Predict for documents that the pipes before the component have processed.

        RAISES (ValueError): D807 for a preset entity with a label that no component declares.
        """
        known = set(self.ner.labels)
        for doc in docs:
            if unknown := self.ner.moves.get_doc_labels(doc) - known:
                raise ValueError(Errors.D807.format(teacher=self.name, labels=sorted(unknown)))
        tags = self.tags
        parts = [
            predict_moves(self.ner, part, valid_moves=self.valid_moves) for part in group_docs(docs)
        ]
        probs = numpy.concatenate([numpy.zeros((0, self.ner.moves.n_moves)), *parts])
        columns = [tags.index(tag_of(move)) for move in list_moves(self.ner)]
        by_tag = numpy.zeros((len(probs), len(tags)))
        for move, column in enumerate(columns):
            by_tag[:, column] += probs[:, move]
        return split_rows(floor_probs(by_tag), docs)


def group_docs(docs: Sequence[Doc], *, n_tokens: int = TOKENS_IN_STEP) -> Iterator[List[Doc]]:
    """Split documents, in their order, into groups of about `n_tokens` tokens."""
    ends = numpy.cumsum([len(doc) for doc in docs]).tolist()
    for _, pairs in groupby(zip(docs, ends), key=lambda pair: pair[1] // n_tokens):
        yield [doc for doc, _ in pairs]


def list_moves(ner: EntityRecognizer) -> List[str]:
    """Return the moves' names in the order of their scores: `B-PER`, `O`, `U-` for blocked ones."""
    return [ner.moves.get_class_name(i) for i in range(ner.moves.n_moves)]


def tag_of(move: str) -> str:
    return move if split_tag(move)[1] else OUTSIDE


def predict_moves(
    ner: EntityRecognizer, docs: Sequence[Doc], *, valid_moves: Dict[Situation, numpy.ndarray]
) -> numpy.ndarray:
    """Return the probabilities of the moves on the greedy path, all documents in parallel.

    valid_moves (Dict[Situation, ndarray]): The moves that spaCy allows in each situation: bool
        (n_moves,). New situations are added. spaCy is called only once for each of them, because
        this takes longer than everything else.
    RETURNS (ndarray): (n_tokens, n_moves), documents concatenated.
    """
    moves = list_moves(ner)
    situations = list_situations(docs)
    probs = numpy.zeros((len(situations), len(moves)))
    probs[:, moves.index(OUTSIDE)] = 1.0
    if not situations:
        return probs
    ends = numpy.cumsum([len(doc) for doc in docs])
    at = [int(end) - len(doc) for doc, end in zip(docs, ends)]  # each doc's next token
    states = ner.moves.init_batch(docs)
    labels = [""] * len(docs)  # of the open entity of each document
    model = ner.model.predict(docs)
    reading = [i for i, state in enumerate(states) if not state.is_final()]
    while reading:
        scores = numpy.ascontiguousarray(model.predict([states[i] for i in reading]))
        valid = numpy.zeros(scores.shape, dtype=bool)
        for row, i in enumerate(reading):
            situation = (labels[i], *situations[at[i]])
            if situation not in valid_moves:
                valid_moves[situation] = find_valid_moves(ner, states[i], moves)
            valid[row] = valid_moves[situation]
        masked = numpy.where(valid, scores.astype("d"), -numpy.inf)
        rows = numpy.exp(log_softmax(masked))  # (n_reading, n_moves)
        probs[[at[i] for i in reading]] = rows
        ner.transition_states([states[i] for i in reading], scores)
        for i, move in zip(reading, rows.argmax(axis=1)):
            prefix, label = split_tag(moves[move])
            labels[i] = label if prefix in "BI" else ""
            at[i] += 1
        reading = [i for i in reading if not states[i].is_final()]
    model.clear_memory()
    return probs


def list_situations(docs: Sequence[Doc]) -> List[Situation]:
    """Return the situation of each token, without the label of the open entity."""
    attributes = TokenAttributes.from_docs(docs)
    # After a document's last token, nothing is preset.
    last = numpy.zeros(len(attributes.ent_iob), dtype=bool)
    last[numpy.cumsum([len(doc) for doc in docs if len(doc)], dtype="i") - 1] = True
    next_iob = numpy.where(last, 0, numpy.roll(attributes.ent_iob, -1))
    next_start = ~last & numpy.roll(attributes.sent_start, -1)
    columns = (attributes.ent_iob, attributes.ent_type, attributes.is_space)
    return list(zip(*(part.tolist() for part in (*columns, last, next_iob, next_start))))


def find_valid_moves(ner: EntityRecognizer, state: Any, moves: Sequence[str]) -> numpy.ndarray:
    """Return which moves spaCy allows in a state: bool (n_moves,)."""
    valid = numpy.asarray([ner.moves.is_valid(state, move) for move in moves])
    if not valid.any():  # spaCy then stops, and keeps its predictions so far
        valid[moves.index(OUTSIDE)] = True
    return valid
