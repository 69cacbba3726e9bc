"""The component `ner_tagger`: recognises entities with any model that scores tags.

Teacher and student are this same component with different models. It asks one thing of its model:
`Model[List[Doc], List[Floats2d]]`, one row of tag scores (logits) per token.
"""

from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span, SpanGroup
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Config, Model, Optimizer, set_dropout_rate

from ..decoding import Transitions, decode, forbid_tags, log_softmax, span_confidence
from ..errors import Errors
from ..losses import DistillationLoss, LossParts, softened_kl
from ..tags import check_scheme, make_tags, spans_from_tags
from ..targets import get_targets
from ..types import GetExamples, InitModel, TaggerModel, TagScheme, TagScores

default_config = """
[ner_tagger]
scheme = "iob"
spans_key = null

[ner_tagger.model]
@architectures = "spacy-distill.CharCNNBiLSTM.v1"
dropout = 0.5

[ner_tagger.model.lookup]
@layers = "spacy-distill.Lookup.v1"
width = 100

[ner_tagger.model.char_cnn]
@layers = "spacy-distill.CharCNN.v1"
width = 30
filters = 60

[ner_tagger.model.bilstm]
@layers = "spacy-distill.BiLSTM.v1"
width = 100
depth = 1

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
    scheme: TagScheme,
    spans_key: Optional[str],
    scorer: Optional[Callable],
) -> "NERTagger":
    """Make a `ner_tagger`.

    model (Model[List[Doc], List[Floats2d]]): Scores the tags: one row of logits per token.
    loss (DistillationLoss): What it is trained with.
    scheme (Literal["iob", "biluo"]): How entities become tags.
    spans_key (Optional[str]): Where in `doc.spans` the entities are put together with their
        confidences, `doc.spans[spans_key].attrs["scores"]`; null: nowhere.
    scorer (Optional[Callable]): The scoring method.
    """
    return NERTagger(
        nlp.vocab, model, name, loss=loss, scheme=scheme, spans_key=spans_key, scorer=scorer
    )


def ner_score(examples: Iterable[Example], **kwargs: Any) -> Dict[str, Any]:
    return get_ner_prf(examples, **kwargs)


class NERTagger(TrainablePipe):
    """Recognises named entities by tagging tokens."""

    def __init__(
        self,
        vocab: Vocab,
        model: TaggerModel,
        name: str = "ner",
        *,
        loss: Optional[DistillationLoss] = None,
        scheme: TagScheme = "iob",
        spans_key: Optional[str] = None,
        scorer: Optional[Callable] = ner_score,
    ) -> None:
        """Initialise the component. The arguments are those of `make_ner_tagger`."""
        check_scheme(scheme)
        self.vocab = vocab
        self.model = model
        self.name = name
        self.loss = loss or DistillationLoss(1.0, 1.0, 1.0, "student_teacher")
        self.scorer = scorer
        self.cfg: Dict[str, Any] = {"labels": [], "scheme": scheme}
        self.spans_key = spans_key
        self._rehearsal_model: Optional[Model] = None
        self._labels_changed()

    @property
    def labels(self) -> Tuple[str, ...]:
        """The entity labels that the component can assign."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> Tuple[str, ...]:
        """What `spacy init labels` saves and `initialize` takes."""
        return self.labels

    @property
    def is_distillable(self) -> bool:
        """Whether the component can be taught by another: the name is spaCy v4's."""
        return True

    def add_label(self, label: str) -> int:
        """Add an entity label, before the model has its output layer.

        label (str): The label.
        RETURNS (int): 0 if the label is there already, else 1.
        RAISES (ValueError): D006 for a label that is no text, D002 once the model is initialised.
        """
        if not isinstance(label, str) or not label:
            raise ValueError(Errors.D006.format(name=self.name, label=label))
        if label in self.labels:
            return 0
        if self.model.has_dim("nO"):
            n_tags = self.model.get_dim("nO")
            if n_tags < len(make_tags([*self.labels, label], scheme=self.cfg["scheme"])):
                raise ValueError(Errors.D002.format(name=self.name, label=label, n_tags=n_tags))
        self.cfg["labels"].append(label)
        self._labels_changed()
        return 1

    def initialize(
        self,
        get_examples: GetExamples,
        *,
        nlp: Optional[Language] = None,
        labels: Optional[Sequence[str]] = None,
        init_model: InitModel = None,
    ) -> None:
        """Prepare for training: labels, vocabularies, shapes.

        get_examples (Callable[[], Iterable[Example]]): The training data. Its text gives the
            model its vocabularies, so it should be all of it.
        nlp (Optional[Language]): The pipeline.
        labels (Optional[Sequence[str]]): As `spacy init labels` makes them; None: those of the
            examples, sorted.
        init_model (Optional[Callable[[Model], Model]]): Called with the model before its shapes
            are inferred, for instance to load a lookup table.
        RAISES (ValueError): D001 if there are no labels at all.
        """
        validate_get_examples(get_examples, "NERTagger.initialize")
        docs = []
        found = set()
        for eg in get_examples():
            docs.append(eg.predicted)
            found.update(ent.label_ for ent in eg.reference.ents)
        for label in sorted(found) if labels is None else labels:
            self.add_label(label)
        if not self.labels:
            raise ValueError(Errors.D001.format(name=self.name))
        if init_model is not None:
            self.model = init_model(self.model)
        n_tags = len(self.tags)
        self.model.initialize(X=docs, Y=[self.model.ops.alloc2f(len(d), n_tags) for d in docs])

    def predict(self, docs: Iterable[Doc]) -> List[TagScores]:
        """Score the tags, without modifying the documents.

        docs (Iterable[Doc]): The documents.
        RETURNS (List[Floats2d]): Logits of each document, (n_tokens, n_tags).
        """
        docs = list(docs)
        if not any(len(doc) for doc in docs):
            return [self.model.ops.alloc2f(0, len(self.tags)) for _ in docs]
        return self.model.predict(docs)

    def set_annotations(self, docs: Iterable[Doc], scores: List[TagScores]) -> None:
        """Set the entities of documents from their tag scores.

        Entities that are there already are kept, and new ones found around them. A token that
        was set to be outside is free, because `entity_ruler` sets all others so.

        docs (Iterable[Doc]): The documents to modify.
        scores (List[Floats2d]): What `predict` returned for them.
        """
        docs = list(docs)
        ents_before = [doc.ents for doc in docs]
        ids = self.find_tags(docs, scores, fixed=[_inside(doc) for doc in docs])
        for doc, doc_ids, doc_scores, before in zip(docs, ids, scores, ents_before):
            if not len(doc):
                continue
            spans = trimmed_spans(doc, spans_from_tags(doc_ids, self.tags))
            doc.set_ents([*before, *spans], default="outside")
            if self.spans_key is not None:
                self._set_confidences(doc, spans, doc_ids, doc_scores)

    def find_tags(
        self, docs: Sequence[Doc], scores: List[TagScores], *, fixed: Sequence[numpy.ndarray]
    ) -> List[numpy.ndarray]:
        """The best legal tags of each document.

        docs (Sequence[Doc]): The documents.
        scores (List[Floats2d]): What `predict` returned for them.
        fixed (Sequence[ndarray]): For each document, tokens that no new entity may cover: bool
            (n_tokens,).
        RETURNS (List[ndarray]): Tag indices of each document (n_tokens,).
        """
        lengths = [len(doc) for doc in docs]
        if not sum(lengths):
            return [numpy.zeros(0, dtype="i") for _ in docs]
        features = [doc.to_array(["IS_SPACE", "SENT_START"]).reshape(-1, 2) for doc in docs]
        is_space, sent_start = numpy.concatenate(features).astype("int64").T
        possible = forbid_tags(
            numpy.concatenate([self.model.ops.to_numpy(doc_scores) for doc_scores in scores]),
            self.transitions,
            fixed=numpy.concatenate(fixed),
            is_space=is_space == 1,
            sent_start=sent_start == 1,
        )
        ids = decode(possible, lengths, self.transitions)
        return numpy.split(ids, numpy.cumsum(lengths)[:-1])

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn from a batch of examples: gold tags, pseudo-labels and soft targets.

        examples (Iterable[Example]): The batch.
        drop (float): Dropout rate.
        sgd (Optional[Optimizer]): Applied if given.
        losses (Optional[Dict[str, float]]): Means since it was empty, in nats per token: the loss
            under the component's name, its parts under `NAME_task` and `NAME_distillation`.
        RETURNS (Dict[str, float]): The updated losses.
        """
        examples = list(examples)
        validate_examples(examples, "NERTagger.update")

        def get_loss(scores: List[TagScores]) -> Tuple[LossParts, List[TagScores]]:
            return self._get_loss_parts(examples, scores)

        return self._learn(examples, get_loss, drop=drop, sgd=sgd, losses=losses)

    def rehearse(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
        **config: Any,
    ) -> Dict[str, float]:
        """Stay close to the model as it was at `nlp.resume_training()`, by KL divergence.

        The arguments are those of `update`; the examples need no annotation.
        """
        examples = list(examples)
        validate_examples(examples, "NERTagger.rehearse")
        if self._rehearsal_model is None:
            return {} if losses is None else losses
        teacher_scores = self._rehearsal_model.predict([eg.predicted for eg in examples])

        def get_loss(scores: List[TagScores]) -> Tuple[LossParts, List[TagScores]]:
            return self._get_distillation_parts(teacher_scores, scores)

        return self._learn(examples, get_loss, drop=drop, sgd=sgd, losses=losses)

    def distill(
        self,
        teacher_pipe: TrainablePipe,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Learn from a teacher's distributions on a batch, as in spaCy v4.

        teacher_pipe (NERTagger): The teacher. It sees `eg.reference`, the student `eg.predicted`,
            which have the same tokens.
        examples (Iterable[Example]): The batch. Its annotation is not used.
        drop, sgd, losses: As in `update`.
        RAISES (ValueError): D010 if the teacher's tags are not the student's.
        """
        examples = list(examples)
        validate_examples(examples, "NERTagger.distill")
        if not isinstance(teacher_pipe, NERTagger) or teacher_pipe.tags != self.tags:
            raise ValueError(
                Errors.D010.format(
                    teacher=getattr(teacher_pipe, "name", teacher_pipe),
                    student=self.name,
                    teacher_tags=getattr(teacher_pipe, "tags", None),
                    student_tags=self.tags,
                )
            )
        teacher_scores = teacher_pipe.predict([eg.reference for eg in examples])

        def get_loss(scores: List[TagScores]) -> Tuple[LossParts, List[TagScores]]:
            return self._get_distillation_parts(teacher_scores, scores)

        return self._learn(examples, get_loss, drop=drop, sgd=sgd, losses=losses)

    def get_loss(
        self, examples: Iterable[Example], scores: List[TagScores]
    ) -> Tuple[float, List[TagScores]]:
        """The loss of a batch in nats per token, and its gradient.

        examples (Iterable[Example]): The batch.
        scores (List[Floats2d]): The model's scores for it.
        RETURNS (Tuple[float, List[Floats2d]]): The loss and the gradient.
        """
        parts, d_scores = self._get_loss_parts(list(examples), scores)
        return parts.total, d_scores

    def get_teacher_student_loss(
        self, teacher_scores: List[TagScores], student_scores: List[TagScores]
    ) -> Tuple[float, List[TagScores]]:
        """The divergence from a teacher in nats per token, and its gradient, as in spaCy v4.

        teacher_scores (List[Floats2d]): The teacher's scores, with the student's tags.
        student_scores (List[Floats2d]): The student's scores.
        RETURNS (Tuple[float, List[Floats2d]]): The loss and the gradient of the student's scores.
        """
        parts, d_scores = self._get_distillation_parts(teacher_scores, student_scores)
        return parts.total, d_scores

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "NERTagger":
        super().from_bytes(bytes_data, exclude=exclude)
        self._labels_changed()
        return self

    def from_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> "NERTagger":
        super().from_disk(path, exclude=exclude)
        self._labels_changed()
        return self

    def _labels_changed(self) -> None:
        self.tags = make_tags(self.labels, scheme=self.cfg["scheme"])
        self.transitions = Transitions.from_tags(self.tags)
        # Within a memory zone a new string is forgotten at its end: labels are added before.
        for label in self.labels:
            self.vocab.strings.add(label)

    def _learn(
        self,
        examples: List[Example],
        get_loss: Callable[[List[TagScores]], Tuple[LossParts, List[TagScores]]],
        *,
        drop: float,
        sgd: Optional[Optimizer],
        losses: Optional[Dict[str, float]],
    ) -> Dict[str, float]:
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        if not any(len(eg.predicted) for eg in examples):
            return losses
        set_dropout_rate(self.model, drop)
        scores, backprop = self.model.begin_update([eg.predicted for eg in examples])
        parts, d_scores = get_loss(scores)
        if not numpy.isfinite(parts.total):
            raise ValueError(Errors.D011.format(name=self.name, loss=parts.total))
        backprop(d_scores)
        if sgd not in (None, False):
            self.finish_update(sgd)
        self._record(parts, losses)
        return losses

    def _record(self, parts: LossParts, losses: Dict[str, float]) -> None:
        """Keep means over tokens, so that a logger can show nats per token."""
        key = f"{self.name}_tokens"
        before = losses.get(key, 0)
        losses[key] = before + parts.n_tokens
        share = parts.n_tokens / losses[key]
        for name, value in (
            (self.name, parts.total),
            (f"{self.name}_task", parts.task),
            (f"{self.name}_distillation", parts.distillation),
        ):
            losses[name] = losses.get(name, 0.0) * (1 - share) + value * share

    def _get_loss_parts(
        self, examples: List[Example], scores: List[TagScores]
    ) -> Tuple[LossParts, List[TagScores]]:
        ops = self.model.ops
        targets = get_targets(examples, tags=self.tags, name=self.name)
        parts, d_scores = self.loss(
            ops.flatten(scores),
            tags=ops.asarray1i(targets.tags),
            teacher_scores=ops.asarray2f(targets.teacher_scores),
            taught=ops.asarray1i(targets.taught),
        )
        return parts, _split_like(d_scores, scores)

    def _get_distillation_parts(
        self, teacher_scores: List[TagScores], student_scores: List[TagScores]
    ) -> Tuple[LossParts, List[TagScores]]:
        ops = self.model.ops
        scores = ops.flatten(student_scores)
        value, d_scores = softened_kl(
            scores,
            ops.asarray2f(ops.flatten(teacher_scores)),
            temperature=self.loss.temperature,
            direction=self.loss.direction,
        )
        return LossParts(value, 0.0, value, len(scores)), _split_like(d_scores, student_scores)

    def _set_confidences(
        self, doc: Doc, spans: List[Span], ids: numpy.ndarray, scores: TagScores
    ) -> None:
        """Put all entities together with their confidences; one that was preset has 1.0."""
        log_probs = log_softmax(self.model.ops.to_numpy(scores))
        confidences = {
            (span.start, span.end): span_confidence(log_probs, ids, span.start, span.end)
            for span in spans
        }
        group = SpanGroup(doc, name=self.spans_key, spans=list(doc.ents))
        group.attrs["scores"] = [confidences.get((ent.start, ent.end), 1.0) for ent in doc.ents]
        doc.spans[self.spans_key] = group


def _inside(doc: Doc) -> numpy.ndarray:
    """Tokens inside entities, bool (n_tokens,): ENT_IOB is 3 (B) or 1 (I)."""
    return doc.to_array("ENT_IOB") % 2 == 1


def trimmed_spans(doc: Doc, spans: List[Tuple[int, int, str]]) -> List[Span]:
    """Spans without whitespace at their ends, as spaCy wants entities."""
    trimmed = []
    for start, end, label in spans:
        while doc[end - 1].is_space:
            end -= 1
        trimmed.append(Span(doc, start, end, label=label))
    return trimmed


def _split_like(flat: TagScores, parts: List[TagScores]) -> List[TagScores]:
    """(n_tokens, n_tags) of a batch -> those of each document."""
    ends = numpy.cumsum([len(part) for part in parts])
    return [flat[end - len(part) : end] for end, part in zip(ends, parts)]
