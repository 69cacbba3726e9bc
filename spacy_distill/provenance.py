"""What a pipeline was trained on: written down when it is tuned, and compared when it is scored."""

from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping

from spacy.util import load_config
from thinc.api import Config

from .files import digest_source, read_json
from .manifest import MANIFEST, find_records

# Of a pipeline's meta: what `tune` wrote down.
TUNED = "tuned"
# Of a config's block [paths]: what a pipeline learns from.
INPUTS = ("labelled", "unlabelled", "dev", "table")


def digest_input(path: Path) -> str:
    """The SHA-256 of a file or folder, or of its manifest, which has those of the rest."""
    manifest = path / MANIFEST
    is_annotated = manifest.exists() and find_records(path)
    return digest_source(manifest if is_annotated else path)


def digest_inputs(config: Mapping[str, Any]) -> Dict[str, str]:
    """The digests of what a config's pipeline learns from, by names; none of what is not there."""
    paths = find_inputs(Config({**config}).interpolate(), Path())
    return {name: digest_input(path) for name, path in paths.items()}


def digest_components(names: Iterable[str], model: Path) -> Dict[str, str]:
    """The SHA-256 of what components have in a pipeline's folder, of those that have something."""
    folders = {name: model / name for name in names}
    return {name: digest_source(path) for name, path in folders.items() if path.exists()}


def waits_for_tuning(model: Path) -> bool:
    """Whether training chose the weights by what `tune` would bring, and that was not done."""
    components = load_config(model / "config.cfg", interpolate=True).get("components", {})
    return any(settings.get("score_tuned") for settings in components.values())


def find_changed(model: Path, folder: Path = Path()) -> List[Path]:
    """What lies where a pipeline's training data were, and is something else now.

    model (Path): The pipeline. Nothing is known of one that `tune` has not seen.
    folder (Path): What its config's paths begin from.
    RETURNS (List[Path]): The paths.
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
    """Those of `INPUTS` that are there."""
    paths = config.get("paths", {})
    given = {name: Path(paths[name]) for name in INPUTS if paths.get(name)}
    return {name: path for name, path in given.items() if (folder / path).exists()}
