"""`spacy-distill package`: build the wheel of a student."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import version as installed_version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Dict, List, Optional, Sequence, Tuple, cast

import srsly
import typer
from packaging.version import InvalidVersion, Version
from spacy.cli.package import FILENAMES_DOCS, package
from spacy.util import load_config
from wasabi import msg

from ..checks import require, require_installed
from ..compression import Dtype, compress
from ..errors import Errors, last_lines
from ..files import digest_folder, make_folder, read_json
from ..hub_ids import public_name
from ..loading import find_code, import_code, load_pipeline
from ..pipeline.ner_tagger import NERTagger
from ..teachers.doc_ents import find_entity_labels
from .options import Code
from .scoring import AGREEMENT, MADE_FROM

COMPACT = "Compact named entity recognition, distilled from a transformer"
# What spaCy writes into the README of each package.
OF_PACKAGE = "| Feature | Description |"
# What packages are added to the requirements, each with its version.
ADDED = ("spacy", "spacy-distill")
# What files of scores contain besides scores.
NO_SCORES = ("speed", MADE_FROM, AGREEMENT)


def package_cli(
    pipeline: Annotated[Path, typer.Argument(help="The trained student, training/.../model-best")],
    output: Annotated[Path, typer.Argument(help="Folder for the package")],
    name: Annotated[str, typer.Option(help="Its name, without the language")] = "compact_ner",
    version: Annotated[str, typer.Option(help="Its version")] = "0.1.0",
    metrics: Annotated[
        Optional[Path], typer.Option(help="Scores that `evaluate` wrote, for the metadata")
    ] = None,
    teacher: Annotated[str, typer.Option(help="What it was distilled from, for the metadata")] = "",
    data: Annotated[str, typer.Option(help="What it was trained on, for the metadata")] = "",
    author: Annotated[str, typer.Option(help="Its author")] = "",
    license_: Annotated[str, typer.Option("--license", help="Its licence, such as MIT")] = "",
    dtype: Annotated[
        str, typer.Option(help="Stored precision: float16, float32, or int8 for the table")
    ] = "float16",
    code: Code = None,
) -> None:
    """Build a wheel that `pip install` and `spacy.load` take: LANG_NAME.

    It needs spaCy and spacy-distill, but neither torch nor transformers. Unless --dtype is float32,
    its weights are rounded; the trained student is not changed. A --code file becomes part of the
    wheel.
    """
    require_installed("build", purpose="Building a wheel", extra="train")
    import_code(find_code(code))
    meta_path = pipeline / "meta.json"
    if not meta_path.exists():
        raise FileNotFoundError(Errors.D008.format(path=meta_path))
    if output.resolve().is_relative_to(pipeline.resolve()):
        raise ValueError(Errors.D915.format(output=output.resolve(), source=pipeline.resolve()))
    check_name(name, version, lang=read_json(meta_path).get("lang", ""))
    scores = {} if metrics is None else read_test_scores(metrics, pipeline)
    with TemporaryDirectory() as temporary:
        small = Path(temporary) / "pipeline"
        trained, labels = write_small(pipeline, small, dtype=cast(Dtype, dtype))
        meta = make_meta(
            trained,
            labels=labels,
            scores=scores,
            task=COMPACT if teacher else "Named entity recognition",
            sources=make_sources(teacher=teacher, data=data),
            author=author,
            license_=license_,
        )
        make_folder(output)
        folder = output / f"{meta['lang']}_{name}-{version}"
        # Setuptools keeps earlier builds there, and would use them instead of files that are older.
        shutil.rmtree(folder / "build", ignore_errors=True)
        # spaCy would keep existing files of these names, such as a README with the earlier scores.
        for file in FILENAMES_DOCS:
            (folder / file).unlink(missing_ok=True)
        filled = Path(temporary) / "meta.json"
        srsly.write_json(filled, meta)
        package(
            small,
            output,
            meta_path=filled,
            code_paths=[code] if code else [],
            name=name,
            version=version,
            create_sdist=False,
            create_wheel=False,
            require_parent=True,
            force=True,
            silent=False,
        )
    build_wheel(folder)
    for wheel in (folder / "dist").glob("*.whl"):
        msg.good(f"{wheel} ({wheel.stat().st_size / 1e6:.1f} MB)")


def build_wheel(folder: Path) -> None:
    """Build the wheel of a package in its folder, without the output of the build.

    RAISES (ValueError): D425 if that fails.
    """
    msg.info("Building the wheel")
    # The first way needs the package index, for setuptools; the second one takes what is installed.
    for options in ([], ["--no-isolation"]):
        done = subprocess.run(
            [sys.executable, "-m", "build", ".", "--wheel", *options],
            cwd=folder,  # elsewhere, there may be another `build.py`
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode == 0:
            return
    lines = last_lines(done.stdout)
    raise ValueError(Errors.D425.format(folder=folder, code=done.returncode, lines=lines))


def check_name(name: str, version: str, *, lang: str) -> None:
    """Refuse an invalid name or version of a package. RAISES (ValueError): D007."""
    is_name = bool(re.fullmatch("[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?", name))
    is_name = is_name and not name.startswith(f"{lang}_")
    rule = f"letters, digits and _, with a letter first and no _ last, without the prefix '{lang}_'"
    require(is_name, "--name", name, rule)
    try:
        is_version = version == str(Version(version))  # the wheel's name has the normalised version
    except InvalidVersion:
        is_version = False
    require(is_version, "--version", version, "a version such as 1.0.0 or 1.0.0rc1")


def write_small(pipeline: Path, output: Path, *, dtype: Dtype) -> Tuple[Dict[str, Any], List[str]]:
    """Copy a trained pipeline, without the parts that prediction does not need.

    pipeline (Path): The pipeline. It is not changed.
    output (Path): Folder for the copy, which must not exist yet.
    dtype (Literal["float16", "float32", "int8"]): Stored precision; see `compress`.
    RETURNS (Tuple[Dict[str, Any], List[str]]): The metadata of the trained pipeline, and the labels
        of its entities.
    RAISES (ValueError): D012 for a pipeline without a `ner_tagger`, D019 for one that can't be
        loaded, and the errors of `compress`.
    """
    nlp = load_pipeline(pipeline)
    taggers = {name: pipe for name, pipe in nlp.components if isinstance(pipe, NERTagger)}
    if not taggers:
        raise ValueError(Errors.D012.format(pipes=nlp.pipe_names))
    shutil.copytree(pipeline, output)
    readme = output / "README.md"
    if readme.exists() and OF_PACKAGE in readme.read_text(encoding="utf-8", errors="replace"):
        readme.unlink()  # of an earlier package: its name, version and scores would be kept
    for name, tagger in taggers.items():
        compress(tagger.model, dtype=dtype)
        tagger.model.to_disk(output / name / "model")
    # The paths of the training are private, and users of the package do not have the table.
    config = load_config(output / "config.cfg", interpolate=False)
    config["components"] = config.interpolate()["components"]
    config["paths"] = dict.fromkeys(config.get("paths", {}))
    for name in taggers:
        config.get("initialize", {}).get("components", {}).get(name, {}).pop("init_model", None)
    config.to_disk(output / "config.cfg")
    # The string store contains every word of the training text. `ner_tagger` does not need them,
    # but other components and vectors may.
    if len(taggers) == len(nlp.components) and not len(nlp.vocab.vectors):
        tokenizer = nlp.config.interpolate()["nlp"]["tokenizer"]
        bare = type(nlp).from_config({"nlp": {"tokenizer": tokenizer}})
        bare.vocab.strings.to_disk(output / "vocab" / "strings.json")
    return nlp.meta, find_entity_labels(nlp)


def make_sources(*, teacher: str, data: str) -> List[Dict[str, str]]:
    """List the sources of a student for its metadata."""
    described = [
        (teacher, "The teacher, a pre-trained transformer fine-tuned on the labelled text"),
        (data, "Labelled and unlabelled text"),
        ("spacy-distill", "The method, after Izsak, Guskin and Wasserblat (2019)"),
    ]
    return [
        {"name": public_name(source), "description": text} for source, text in described if source
    ]


def make_meta(
    meta: Dict[str, Any],
    *,
    labels: Sequence[str],
    scores: Dict[str, Any],
    task: str = COMPACT,
    sources: Sequence[Dict[str, str]] = (),
    author: str,
    license_: str,
) -> Dict[str, Any]:
    """Complete the metadata of a trained student.

    meta (Dict[str, Any]): The metadata that training wrote. It is not modified.
    labels (Sequence[str]): The labels of its entities.
    scores (Dict[str, Any]): Scores on the test set, which replace all scores on the development
        set; if empty, those are kept.
    task (str): Beginning of the description, before the labels; only used if `meta` has no
        description.
    sources (Sequence[Dict[str, str]]): Name and description of each source.
    author (str): The author; if empty, that of `meta`.
    license_ (str): Licence of the package; if empty, that of `meta`.
    RETURNS (Dict[str, Any]): Metadata with description, licence, sources and requirements.
    """
    # The README of a package shows all numbers as percentages, so only scores are kept.
    performance = {
        name: score
        for name, score in (scores or meta.get("performance", {})).items()
        if name not in NO_SCORES and not name.endswith("_loss")
    }
    release = ".".join(installed_version("spacy-distill").split(".")[:2])
    major, minor = release.split(".")
    needed = [need for need in meta.get("requirements", []) if name_of(need) not in ADDED]
    return {
        **meta,
        "description": meta.get("description") or f"{task}: {', '.join(labels)}.",
        "author": author or meta.get("author", ""),
        "license": license_ or meta.get("license", ""),
        "sources": list(sources),
        "performance": performance,
        "requirements": [*needed, f"spacy-distill>={release}.0,<{major}.{int(minor) + 1}.0"],
    }


def name_of(requirement: str) -> str:
    """Return the name of the package in a requirement."""
    return re.split(r"[^\w.-]", requirement)[0]


def read_test_scores(path: Path, pipeline: Path) -> Dict[str, Any]:
    """Read scores on the test set.

    path (Path): The file of `evaluate`.
    pipeline (Path): The pipeline that it should be of.
    RAISES (FileNotFoundError): D008 if there is no such file. (ValueError): D916 if it is damaged,
        D411 if it is not a file of scores, D422 if it measures only agreement with the teacher,
        D421 if it records that it is of another pipeline.
    """
    if not path.exists():
        raise FileNotFoundError(Errors.D008.format(path=path))
    scores = read_json(path)
    if "ents_f" not in scores:
        raise ValueError(Errors.D411.format(path=path))
    if scores.get(AGREEMENT):
        raise ValueError(Errors.D422.format(path=path))
    if MADE_FROM in scores and scores[MADE_FROM]["pipeline"] != digest_folder(pipeline):
        raise ValueError(Errors.D421.format(path=path, pipeline=pipeline))
    return scores
