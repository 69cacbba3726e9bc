"""Map the labels of teachers to those of the student: some are renamed, some are dropped."""

from dataclasses import dataclass, field
from typing import FrozenSet, List, Mapping, Optional, Sequence

import numpy
from spacy.tokens import Doc

from ..checks import require
from ..distributions import add_columns, floor_probs
from ..errors import Errors
from ..tags import OUTSIDE, is_biluo, split_tag, tag_in_iob
from ..types import Teacher


@dataclass(frozen=True)
class LabelMap:
    """New names of labels, and labels whose probability is added to `O`. All others are kept."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    dropped: FrozenSet[str] = frozenset()

    def __call__(self, label: str) -> str:
        """Return the label that a label is mapped to, or an empty string if it is dropped."""
        return "" if label in self.dropped else self.renamed.get(label, label)

    def of_tag(self, tag: str) -> str:
        prefix, label = split_tag(tag)
        return f"{prefix}-{self(label)}" if self(label) else OUTSIDE


NO_MAP = LabelMap()


def read_label_map(renames: Sequence[str], *, drop: Sequence[str] = ()) -> LabelMap:
    """Read a label map from the command line.

    renames (Sequence[str]): `OLD=NEW` each.
    drop (Sequence[str]): Labels to drop.
    RETURNS (LabelMap): The map.
    RAISES (ValueError): D007 for anything else, or for a label that is named twice.
    """
    pairs = [tuple(text.rsplit("=", 1)) for text in renames]
    holds = all(len(pair) == 2 and all(pair) for pair in pairs)
    require(holds, "--map", list(renames), "OLD=NEW each, such as PERSON=PER")
    old = [*(pair[0] for pair in pairs), *drop]
    holds = len(old) == len(set(old))
    require(holds, "--map or --drop", [*renames, *drop], "given once for each label")
    return LabelMap({pair[0]: pair[1] for pair in pairs}, frozenset(drop))


@dataclass(frozen=True)
class MappedTeacher:
    """A teacher with the student's tags. Probabilities of tags that become one are added.

    teacher (Teacher): The teacher.
    tags (List[str]): The student's tags.
    columns (List[List[int]]): For each of these, the indices of the teacher's tags that it
        combines; empty for a label that the teacher does not know.
    """

    teacher: Teacher
    tags: List[str]
    columns: List[List[int]]

    @property
    def name(self) -> str:
        return self.teacher.name

    def predict(self, docs: Sequence[Doc]) -> List[numpy.ndarray]:
        """See `Teacher`."""
        return [self.merge(log_probs) for log_probs in self.teacher.predict(docs)]

    def merge(self, log_probs: numpy.ndarray) -> numpy.ndarray:
        """(n_tokens, n_tags of the teacher) -> (n_tokens, n_tags)."""
        found = add_columns(log_probs, self.columns)
        return found if all(self.columns) else floor_probs(numpy.exp(found))


def map_tags(teacher: Teacher, tags: Sequence[str], label_map: LabelMap) -> Teacher:
    """Convert a teacher to other tags. It is returned as it is if it has these tags in this order.

    tags (Sequence[str]): The required tags. If they are IOB, BILUO tags of the teacher are
        converted.
    label_map (LabelMap): Must map each label to one of the required labels, or drop it.
    """
    as_wanted = [label_map.of_tag(tag) for tag in teacher.tags]
    if not is_biluo(tags):
        as_wanted = [tag_in_iob(tag) for tag in as_wanted]
    if as_wanted == list(teacher.tags) == list(tags):
        return teacher
    columns = [[i for i, tag in enumerate(as_wanted) if tag == wanted] for wanted in tags]
    return MappedTeacher(teacher, list(tags), columns)


def list_labels(tags: Sequence[str], label_map: LabelMap) -> List[str]:
    """Return the labels of tags after mapping, in order."""
    labels = (label_map(split_tag(tag)[1]) for tag in tags)
    return list(dict.fromkeys(label for label in labels if label))


def check_labels(
    teacher: Teacher, labels: Sequence[str], label_map: LabelMap, *, may_lack: bool
) -> None:
    """Check that no labels remain unmatched, on either side.

    labels (Sequence[str]): The student's labels.
    may_lack (bool): Whether the student may have labels that the teacher does not know.
    RAISES (ValueError): D801 if any do.
    """
    found = list_labels(teacher.tags, label_map)
    extra = [label for label in found if label not in labels]
    missing = [label for label in labels if label not in found]
    unmatched = []
    if extra:
        unmatched.append(
            f"Only the teacher has {extra}: give them another name with --map OLD=NEW, leave them "
            "out with --drop, or, if the student is to know them, name all of its labels with "
            "--labels."
        )
    if missing and not may_lack:
        unmatched.append(
            f"Only the student has {missing}: if the teacher need not know them, name all of the "
            "student's with --labels."
        )
    if unmatched:
        raise ValueError(
            Errors.D801.format(
                teacher=teacher.name,
                found=found,
                labels=list(labels),
                unmatched=" ".join(unmatched),
            )
        )


def check_map(label_map: LabelMap, known: Optional[Sequence[str]]) -> None:
    """Check that a map only names labels that some teacher has, if the teachers' labels are known.

    RAISES (ValueError): D802 if it does not.
    """
    unknown = sorted({*label_map.renamed, *label_map.dropped} - set(known or ()))
    if known is not None and unknown:
        raise ValueError(Errors.D802.format(unknown=unknown, known=list(known)))
