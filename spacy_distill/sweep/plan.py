"""What a sweep is to run: systems, sizes, seeds, pools."""

import math
import os
import re
import shlex
from types import MappingProxyType
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

from ..checks import is_name
from ..errors import Errors


class System(NamedTuple):
    """What is trained.

    name (str): Of its own.
    base (str): The system whose config and settings it extends; a built-in one is its own.
    config (str): Its config, without suffix: teacher, baseline or student.
    overrides (Mapping[str, str]): Settings of the config that it changes: section.key to value.
    """

    name: str
    base: str
    config: str
    overrides: Mapping[str, str] = MappingProxyType({})


class Run(NamedTuple):
    """One system, trained once.

    system (System): Which.
    size (int): Labelled sentences; 0 for all of them.
    seed (int): Of the sample, and of the training.
    limit (int): How many unlabelled sentences a student is given, 0 for all.
    """

    system: System
    size: int
    seed: int
    limit: int = 0

    @property
    def name(self) -> str:
        return training_name(self.system.name, self.limit)

    @property
    def key(self) -> Tuple[str, int, int, int]:
        return self.system.name, self.size, self.seed, self.limit


def training_name(system: str, limit: int) -> str:
    """What the folder of a training is called, in `training` and elsewhere."""
    return f"{system}-pool-{limit}" if limit else system


CLASSIFIER = "components.ner.model.classifier"
SOFTMAX, CRF = ({CLASSIFIER: name} for name in ("softmax", "crf"))
BUILT_IN = {
    system.name: system
    for system in (
        System("teacher", "teacher", "teacher"),
        System("baseline-softmax", "baseline-softmax", "baseline", SOFTMAX),
        System("baseline-crf", "baseline-crf", "baseline", CRF),
        System("student-softmax", "student-softmax", "student", SOFTMAX),
        System("student-crf", "student-crf", "student", CRF),
    )
}
TEACHER = BUILT_IN["teacher"]


def choose_systems(names: Sequence[str], variants: Sequence[str]) -> Dict[str, System]:
    """The systems asked for, by name, in their order.

    names (Sequence[str]): Built-in ones.
    variants (Sequence[str]): Further ones, as NAME=BASE --section.key value ...
    RAISES (ValueError): D601 for a system that there is not, D604 for a variant without a name of
        its own, or that can't be read.
    """
    unknown = [name for name in names if name not in BUILT_IN]
    if unknown or not (names or variants):
        raise ValueError(Errors.D601.format(unknown=unknown, known=[*BUILT_IN]))
    known = dict(BUILT_IN)
    for text in variants:
        system = read_variant(text, known)
        known[system.name] = system
    return {name: known[name] for name in known if name in names or name not in BUILT_IN}


def split_words(text: str) -> List[str]:
    """The words of a command line, as a POSIX shell has them; but a backslash is that of a path on
    Windows. RAISES (ValueError): For a quote that is not closed."""
    words = shlex.shlex(text, posix=True)
    words.whitespace_split, words.commenters = True, ""
    if os.name == "nt":
        words.escape = ""
    return [*words]


def read_variant(text: str, known: Mapping[str, System]) -> System:
    """A system given as `NAME=BASE --section.key value ...`.

    text (str): The variant. BASE is a known system, whose settings it extends.
    known (Mapping[str, System]): Systems by name.
    RAISES (ValueError): D604.
    """
    name, _, rest = text.partition("=")
    try:
        words = split_words(rest)
    except ValueError:  # a quote that is not closed
        words = []
    base = known.get(words[0]) if words else None
    # Students of smaller pools are called so.
    is_own = name not in known and re.search(r"-pool-\d+$", name) is None
    settings = words[1:]
    are_pairs = len(settings) % 2 == 0 and all(
        key.startswith("--") and "." in key for key in settings[::2]
    )
    if base is None or not (is_name(name) and is_own) or not settings or not are_pairs:
        raise ValueError(Errors.D604.format(value=text, known=[*known]))
    overrides = {key[2:]: value for key, value in zip(settings[::2], settings[1::2])}
    return System(name, base.name, base.config, {**base.overrides, **overrides})


def make_runs(
    systems: Sequence[System],
    *,
    sizes: Sequence[int],
    seeds: Sequence[int],
    limits: Sequence[int] = (0,),
) -> List[Run]:
    """All runs, seed by seed, so that what is there after an interruption is a whole curve."""
    return [
        Run(system, size, seed, limit)
        for seed in seeds
        for size in sorted(sizes, key=lambda size: size or math.inf)
        for system in systems
        for limit in (limits if system.config == "student" else (0,))
    ]
