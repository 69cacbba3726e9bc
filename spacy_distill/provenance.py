"""Provenance of pipelines: the data that they were trained on.

It is recorded when a pipeline is tuned, and compared when the pipeline is scored.
"""

from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping

from spacy.util import load_config
from thinc.api import Config

from .files import digest_source, read_json
from .manifest import MANIFEST, find_records

# The key in a pipeline's meta under which `tune` records it.
TUNED = "tuned"
# The keys in a config's block [paths] of the files that a pipeline learns from.
INPUTS = ("labelled", "unlabelled", "dev", "table")


def digest_input(path: Path) -> str:
    """Return the SHA-256 of a file or folder, or of its manifest, which holds the other digests."""
    manifest = path / MANIFEST
    is_annotated = manifest.exists() and find_records(path)
    return digest_source(manifest if is_annotated else path)


def digest_inputs(config: Mapping[str, Any]) -> Dict[str, str]:
    """Return the digests of the inputs of a config's pipeline, by name, if they exist."""
    paths = find_inputs(Config({**config}).interpolate(), Path())
    return {name: digest_input(path) for name, path in paths.items()}


def digest_components(names: Iterable[str], model: Path) -> Dict[str, str]:
    """Return the SHA-256 of components' files in a pipeline's folder, if they have any."""
    folders = {name: model / name for name in names}
    return {name: digest_source(path) for name, path in folders.items() if path.exists()}


def waits_for_tuning(model: Path) -> bool:
    """Return whether training chose the weights by their tuned score, but `tune` was not run.

    Disabled components don't count, because `tune` can't run them.
    """
    config = load_config(model / "config.cfg", interpolate=True)
    disabled = config.get("nlp", {}).get("disabled", [])
    components = config.get("components", {})
    return any(components[name].get("score_tuned") for name in components if name not in disabled)


def find_changed(model: Path, folder: Path = Path()) -> List[Path]:
    """Find the training data of a pipeline that have changed since `tune` was run.

    model (Path): Folder of the pipeline. Nothing is found if `tune` was not run.
    folder (Path): Folder that the paths in the config are relative to.
    RETURNS (List[Path]): The paths of the changed data.
    """
    known = read_json(model / "meta.json").get(TUNED, {}).get("inputs", {})
    paths = (
        find_inputs(load_config(model / "config.cfg", interpolate=True), folder) if known else {}
    )
    return [
        path
        for name, path in paths.items()
        if name in known and known[name] != digest_input(folder / path)
    ]


def find_inputs(config: Mapping[str, Any], folder: Path) -> Dict[str, Path]:
    """Return those of `INPUTS` that exist."""
    paths = config.get("paths", {})
    given = {name: Path(paths[name]) for name in INPUTS if paths.get(name)}
    return {name: path for name, path in given.items() if (folder / path).exists()}
