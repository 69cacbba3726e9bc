"""Plan the runs of a sweep: systems, sizes, seeds, pools."""

import math
import os
import re
import shlex
from pathlib import Path
from types import MappingProxyType
from typing import Dict, List, Mapping, NamedTuple, Sequence, Tuple

from ..checks import is_name
from ..errors import Errors
from .layout import Files


class System(NamedTuple):
    """A system to train.

    name (str): Its name, which is unique.
    base (str): The system whose config and settings it extends. A built-in system is its own base.
    config (str): Its config, without suffix: teacher, baseline or student.
    overrides (Mapping[str, str]): Settings of the config that it overrides: section.key to value.
    """

    name: str
    base: str
    config: str
    overrides: Mapping[str, str] = MappingProxyType({})


class Run(NamedTuple):
    """One training of one system.

    system (System): The system.
    size (int): Number of labelled sentences; 0: all of them.
    seed (int): Seed of the sample and of the training.
    limit (int): How many unlabelled sentences a student is given; 0: all.
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

    def files(self, work: Path) -> Files:
        """Return its files, in the working folder of a sweep."""
        return Files(work, self.size, self.seed, self.name)


def training_name(system: str, limit: int) -> str:
    """Return the name of a training, for its folder in `training` and for its other files."""
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
    """Choose the systems of a sweep.

    names (Sequence[str]): Names of built-in systems.
    variants (Sequence[str]): Further systems, as NAME=BASE --section.key value ...
    RETURNS (Dict[str, System]): By name: the built-in systems in their order, then the variants.
    RAISES (ValueError): D601 for an unknown system or none at all, D604 for a variant that can't be
        parsed or whose name is taken.
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
    """Split a command line into words as a POSIX shell does, but keep backslashes on Windows.

    RAISES (ValueError): If a quote is not closed.
    """
    words = shlex.shlex(text, posix=True)
    words.whitespace_split, words.commenters = True, ""
    if os.name == "nt":
        words.escape = ""
    return [*words]


def read_variant(text: str, known: Mapping[str, System]) -> System:
    """Parse a system given as `NAME=BASE --section.key value ...`.

    text (str): The variant. BASE is a known system, whose settings it extends.
    known (Mapping[str, System]): Systems by name.
    RETURNS (System): The system.
    RAISES (ValueError): D604 if it can't be parsed, or its name is taken or reserved.
    """
    name, _, rest = text.partition("=")
    try:
        words = split_words(rest)
    except ValueError:  # a quote that is not closed
        words = []
    base = known.get(words[0]) if words else None
    # Names that end like this are reserved for students with smaller pools.
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
    """List all runs, seed by seed, so that an interrupted sweep already has complete curves."""
    return [
        Run(system, size, seed, limit)
        for seed in seeds
        for size in sorted(sizes, key=lambda size: size or math.inf)
        for system in systems
        for limit in (limits if system.config == "student" else (0,))
    ]
