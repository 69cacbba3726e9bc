"""`spacy-distill check`: the settings of a project that only its last stages need."""

from typing import Annotated

import typer

from ..checks import require, require_one_of
from ..compression import Dtype
from ..types import Classifier
from .package import check_name
from .weights import warn_of_language


def check_cli(
    name: Annotated[
        str, typer.Option(help="Name of the package, without the language: letters, digits and _")
    ],
    version: Annotated[str, typer.Option(help="Version of the package, such as 0.1.0")],
    lang: Annotated[str, typer.Option(help="Its language")],
    dtype: Annotated[
        str, typer.Option(help="Stored precision: float16, float32, or int8 for the table")
    ],
    classifier: Annotated[str, typer.Option(help="The student's last layer: crf or softmax")],
    teacher: Annotated[str, typer.Option(help="The teacher's weights, as for 'weights'")] = "",
    labeled: Annotated[str, typer.Option(hidden=True)] = "",
    unlabeled: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Refuse wrong settings of the student and its package before anything is trained."""
    # spaCy's projects ignore variables that they do not have.
    require(not labeled, "--vars.labeled", labeled, "spelled --vars.labelled")
    require(not unlabeled, "--vars.unlabeled", unlabeled, "spelled --vars.unlabelled")
    check_name(name, version, lang=lang)
    require_one_of(Dtype, "--dtype", dtype)
    require_one_of(Classifier, "--classifier", classifier)
    warn_of_language(teacher, lang=lang, option="--vars.teacher")
