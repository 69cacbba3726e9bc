"""The component `ner_tagger`: recognises entities with any model that scores tags.

Teacher and student are this same component with different models. The only requirement on the model
is its type, `Model[List[Doc], List[Floats2d]]`: one row of tag scores (logits) per token.
"""

from functools import partial
from itertools import islice
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

import numpy
from spacy.language import Language
from spacy.pipeline.ner import ner_score
from spacy.tokens import Doc
from spacy.training import Example, validate_examples, validate_get_examples
from spacy.vocab import Vocab
from thinc.api import Optimizer, get_array_module

from ..compression import restore
from ..decoding import Transitions, decode_words
from ..distributions import get_log_probs, join_scores
from ..entities import TokenAttributes, write_confidences, write_entities
from ..errors import Errors
from ..layers.crf import find_crf, find_potentials
from ..lines import should_separate
from ..losses import DistillationLoss, build_distillation_loss_v1
from ..tags import make_tags
from ..targets import get_targets
from ..types import GetExamples, InitModel, TaggerModel, TagScheme, TagScores
from .distillable_pipe import DistillablePipe, LossAndGradients, no_loss, reset_gradients
from .examples import read_initial_examples
from .flat_scores import FlatScores
from .score_cache import ScoreCache


class NERTagger(DistillablePipe):
    """Recognises named entities by tagging tokens."""

    def __init__(
        self,
        vocab: Vocab,
        model: TaggerModel,
        name: str = "ner",
        *,
        loss: Optional[DistillationLoss] = None,
        scheme: Optional[TagScheme] = None,
        spans_key: Optional[str] = None,
        score_tuned: bool = False,
        scorer: Optional[Callable] = ner_score,
    ) -> None:
        """Initialise the component. The arguments are those of `factory.make_ner_tagger`."""
        if scheme is None:
            # BILUO tags mark where an entity ends, which gives a softmax some of the information
            # that a CRF learns from neighbouring tags.
            scheme = "iob" if find_crf(model) else "biluo"
        self.vocab = vocab
        self.model = model
        self.name = name
        self.loss = loss or build_distillation_loss_v1()
        self.scorer = scorer
        self.cfg: Dict[str, Any] = {"labels": [], "scheme": scheme}
        self.spans_key = spans_key
        self.score_tuned = score_tuned
        self._score_cache = ScoreCache()
        self._labels_changed()

    @property
    def labels(self) -> Tuple[str, ...]:
        """The entity labels that the component can assign."""
        return tuple(self.cfg["labels"])

    @property
    def label_data(self) -> Tuple[str, ...]:
        """The labels, as `spacy init labels` saves them and `initialize` takes them."""
        return self.labels

    def add_label(self, label: str) -> int:
        """Add an entity label, before the model has its output layer.

        label (str): The label.
        RETURNS (int): 0 if the component already has the label, else 1.
        RAISES (ValueError): D006 if the label is not a non-empty string, D002 if the model is
            initialised and has no outputs for it.
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
        init_model: Optional[InitModel] = None,
    ) -> None:
        """Prepare for training: labels, vocabularies, shapes.

        get_examples (Callable[[], Iterable[Example]]): Returns the training data. The model builds
            its vocabularies from the text, so this should be all of the data.
        nlp (Optional[Language]): The pipeline.
        labels (Optional[Sequence[str]]): As `spacy init labels` makes them; None: those of the
            examples' entities and soft targets, sorted.
        init_model (Optional[Callable[[Model], Model]]): Called with the model before its shapes are
            inferred, for example to load a lookup table.
        RAISES (ValueError): D001 if there are no labels, D002 or D006 for a label that can't be
            added, D025 for a model that returns probabilities instead of scores, D026 for one whose
            outputs are not as many as the tags.
        """
        if any(node.name == "softmax" for node in self.model.walk()):
            raise ValueError(Errors.D025.format(name=self.name))
        # Pass only a few: spaCy validates all examples, and reading them takes longer than
        # everything else here.
        few = (lambda: list(islice(get_examples(), 10))) if callable(get_examples) else get_examples
        validate_get_examples(few, "NERTagger.initialize")
        found = read_initial_examples(get_examples, nlp)
        for label in sorted(found.labels) if labels is None else labels:
            self.add_label(label)
        if not self.labels:
            raise ValueError(Errors.D001.format(name=self.name))
        if init_model is not None:
            self.model = init_model(self.model)
        if self.model.has_dim("nO"):
            self._check_width(self.model.get_dim("nO"))
        width_alone: List[TagScores] = [self.model.ops.alloc2f(1, len(self.tags))]
        self.model.initialize(X=found.docs, Y=width_alone)
        self._separate_lines(should_separate(found.n_cut, found.n_whole))
        reset_gradients(self.model)

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

        Existing entities are kept, and new ones are predicted around them. A token that is
        annotated as outside may still get an entity, because `entity_ruler` annotates all other
        tokens as outside.

        docs (Iterable[Doc]): The documents to modify.
        scores (List[Floats2d]): What `predict` returned for them.
        RAISES (ValueError): D017 if a score is NaN or infinitely large.
        """
        docs = list(docs)
        attributes = TokenAttributes.from_docs(docs)
        if self.score_tuned:  # otherwise not needed, and copying takes time
            self._score_cache.keep(docs, scores, attributes)
        preset = attributes.preset
        ids = self.find_tags(scores, attributes=attributes, fixed=preset)
        write_entities(docs, ids, self.tags, fixed=preset, attributes=attributes)
        if self.spans_key is not None:
            lengths = self.lengths_of(docs, attributes)
            log_probs = get_log_probs(self.model, scores, lengths=lengths)
            is_space, key = attributes.is_space, self.spans_key
            write_confidences(docs, ids, log_probs, fixed=preset, is_space=is_space, key=key)

    def find_tags(
        self, scores: List[TagScores], *, attributes: TokenAttributes, fixed: numpy.ndarray
    ) -> numpy.ndarray:
        """Find the best legal tags of each document.

        scores (List[Floats2d]): What `predict` returned for the documents.
        attributes (TokenAttributes): The attributes of their tokens.
        fixed (ndarray): Tokens that no new entity may cover: bool (n_tokens,).
        RETURNS (ndarray): Tag indices (n_tokens,), documents concatenated.
        RAISES (ValueError): D017 if a score is NaN or infinitely large.
        """
        if not len(fixed):
            return numpy.zeros(0, dtype="i")
        flat = join_scores(self.model, scores)
        if not numpy.isfinite(largest := flat.max()):  # -inf rules a tag out
            raise ValueError(Errors.D017.format(name=self.name, score=largest))
        return decode_words(
            flat,
            self.lengths_of(scores, attributes),
            self.transitions,
            find_potentials(self.model),
            fixed=fixed,
            is_space=attributes.is_space,
            sent_start=attributes.sent_start,
        )

    def score(self, examples: Iterable[Example], **settings: Any) -> Dict[str, Any]:
        """Score predictions and, with `score_tuned`, what tuning can achieve.

        examples (Iterable[Example]): The examples, with predictions.
        RETURNS (Dict[str, Any]): The results of the scorer, and `ents_f_tuned` if `score_tuned` is
            set or there has been a training step. With `score_tuned`, this is the best F1 that a
            constant for `O` achieves, of the component's entities and those set before it, without
            what later components change. Otherwise, or if this component did not annotate these
            documents, because a later one returned others, it is `ents_f`. None without gold
            annotation.
        """
        examples = list(examples)
        scores = super().score(examples, **settings)
        if self.score_tuned and all(eg.predicted in self._score_cache for eg in examples):
            from ..tuning import score_candidates  # only needed for training

            values = score_candidates(self, examples, self._score_cache.find)
            scores["ents_f_tuned"] = max(values, default=None)
        elif self.score_tuned or self.has_learnt:  # [training.score_weights] may name it
            scores["ents_f_tuned"] = scores.get("ents_f")
        return scores

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
        drop, sgd, losses: As in `distill`.
        RETURNS (Dict[str, float]): The updated losses.
        RAISES (ValueError): D003 or D004 for soft targets that do not fit, D011 if the loss is not
            finite, D026 for scores of another width. W002 warns of labels that the component does
            not have.
        """
        examples = list(examples)
        validate_examples(examples, "NERTagger.update")
        get_loss = partial(self._get_loss_parts, examples)
        return self._train_step(examples, get_loss, drop=drop, sgd=sgd, losses=losses)

    def get_loss(
        self, examples: Iterable[Example], scores: List[TagScores]
    ) -> Tuple[float, List[TagScores]]:
        """Return the loss of a batch in nats per token, and its gradient.

        examples (Iterable[Example]): The batch.
        scores (List[Floats2d]): The model's scores for it.
        RETURNS (Tuple[float, List[Floats2d]]): The loss and the gradient.
        RAISES (ValueError): D003, D004, D026, as `update` does.
        """
        found = self._get_loss_parts(list(examples), scores)
        return found.parts.total, found.d_scores

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "NERTagger":
        """Load from bytes. RAISES (ValueError): D202 if a potential of the CRF is not finite."""
        super().from_bytes(bytes_data, exclude=exclude)
        return self._loaded()

    def from_disk(self, path: Any, *, exclude: Iterable[str] = ()) -> "NERTagger":
        """Load from a folder. RAISES (ValueError): D202 if a potential of the CRF is not finite."""
        super().from_disk(path, exclude=exclude)
        return self._loaded()

    def _loaded(self) -> "NERTagger":
        restore(self.model)
        # `find_tags` checks the scores, but not the potentials.
        potentials = find_potentials(self.model)
        for name, values in potentials._asdict().items() if potentials is not None else ():
            if not numpy.isfinite(largest := numpy.abs(values).max(initial=0.0)):
                raise ValueError(Errors.D202.format(layer="crf", name=name, value=largest))
        reset_gradients(self.model)
        self._labels_changed()
        return self

    def _labels_changed(self) -> None:
        self.tags = make_tags(self.labels, scheme=self.cfg["scheme"])
        self.transitions = Transitions.from_tags(self.tags)
        # Strings that are first added within a memory zone are removed at its end, so add the
        # labels now.
        for label in self.labels:
            self.vocab.strings.add(label)

    def _check_width(self, width: int) -> None:
        if width != len(self.tags):
            error = Errors.D026.format(name=self.name, found=width, n_tags=len(self.tags))
            raise ValueError(error)

    def _get_loss_parts(self, examples: List[Example], scores: List[TagScores]) -> LossAndGradients:
        if not any(map(len, scores)):
            return no_loss(scores)
        self._check_width(scores[0].shape[1] if scores[0].ndim == 2 else 1)
        lengths = self.find_lengths([eg.predicted for eg in examples])
        batch = FlatScores.of(self.model, scores, lengths=lengths)
        targets = get_targets(examples, tags=self.tags, name=self.name).of_tokens(batch.seen)
        xp = get_array_module(batch.rows)
        on_device = {name: xp.asarray(part) for name, part in vars(targets).items()}
        parts, (d_scores, d_potentials) = self.loss(batch.rows, crf=batch.crf, **on_device)
        return LossAndGradients(parts, batch.split(d_scores), d_potentials)
