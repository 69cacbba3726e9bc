"""The student of `distill`: its lookup table and its training."""

import sys
from pathlib import Path
from typing import Optional

from spacy.cli._util import show_validation_error
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from thinc.api import Config, require_cpu
from wasabi import msg

from ...annotate.folder import labels_of_folder
from ...files import digest_folder, digest_json, write_json
from ...layers.lookup import DEFAULT_WIDTH
from ...provenance import digest_input
from ..table import table_cli
from ..tune import tune_pipeline
from ..weights import DEFAULT, warn_of_language, weights_cli
from .config import find_sources
from .notes import note, recall

# The folder in which the project workflow keeps the weights of its teacher.
PROJECT_WEIGHTS = Path("assets/teacher")


def make_table(path: Path, *, encoder: str, lang: str, width: Optional[int], gpu: int) -> None:
    """Make a lookup table from a transformer's word pieces, unless it is up to date.

    path (Path): File for the table. Weights that are not on this machine are put into `encoder`,
        in the same folder.
    encoder (str): See `find_weights`.
    lang (str): The student's language.
    width (Optional[int]): Dimensions of a row; None: `DEFAULT_WIDTH`.
    gpu (int): GPU to use, -1 for the CPU.
    """
    weights = find_weights(encoder, path.parent / "encoder")
    warn_of_language(str(weights), lang=lang, option="--encoder")
    made_from = digest_json([digest_folder(weights), width])
    if path.exists() and recall(path) == made_from:
        msg.info(f"'{path}' is up to date")
        return
    table_cli(path, teacher=str(weights), width=width or DEFAULT_WIDTH, gpu=gpu)
    note(path, made_from)


def find_weights(encoder: str, folder: Path) -> Path:
    """Return a transformer's folder, which is made if it is not on this machine.

    encoder (str): A folder, or anything else that the command `weights` takes. If empty, that of
        the project if it exists, otherwise the default teacher of `weights`.
    folder (Path): Folder for weights that are not on this machine.
    """
    if not encoder and (PROJECT_WEIGHTS / "config.json").exists():
        return PROJECT_WEIGHTS
    source = encoder or DEFAULT
    if Path(source).is_dir():
        return Path(source)
    weights_cli(source, folder)
    return folder


def train_student(
    config: Config, output: Path, *, name: str, source: Path, code: Optional[Path]
) -> Path:
    """Train a student, and tune it on its development set, unless it is up to date.

    config (Config): The config, not interpolated. Its inputs must be set, and exist.
    output (Path): Output folder, as for `spacy train`.
    name (str): The component's name. Unless its labels are in the config, it gets all labels of the
        annotation, even those without an entity.
    source (Path): File of the config, for errors.
    code (Optional[Path]): File of code that was imported for the config.
    RETURNS (Path): The folder of the best pipeline.
    """
    inputs = [*config["paths"].values(), *find_sources(config).values(), code]
    paths = [Path(path) for path in inputs if path]
    annotated = Path(config["paths"]["labelled"] or config["paths"]["unlabelled"])
    blocks = config.setdefault("initialize", {}).setdefault("components", {})
    blocks.setdefault(name, {}).setdefault("labels", labels_of_folder(annotated))
    digests = [digest_input(path) for path in paths if path.exists()]
    made_from = digest_json([config.to_str(), digests])
    best = output / "model-best"
    if (best / "meta.json").exists() and recall(best) == made_from:
        msg.info(f"'{best}' is up to date")
        return best
    note(best, None)
    # The teacher may have used a GPU, but the student's layers run on NumPy.
    require_cpu()
    with show_validation_error(source, hint_fill=False):
        nlp = init_nlp(config)
    train(nlp, output, stdout=sys.stdout, stderr=sys.stderr)
    tuned = tune_pipeline(best, Path(config["paths"]["dev"]), name=name)
    write_json(output / "tuned.json", tuned._asdict())
    note(best, made_from)
    return best
