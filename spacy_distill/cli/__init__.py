"""The command line `spacy-distill`: a module for each command, and what they share."""

import os
import sys
from io import TextIOWrapper

import typer

from . import waiting  # noqa: F401  (before anything that loads torch)
from .annotate import annotate_cli
from .benchmark import benchmark_cli
from .check import check_cli
from .choose import choose_cli
from .corpus import corpus_cli
from .distill import ALLOW_OVERRIDES, distill_cli
from .evaluate import evaluate_cli
from .failing import as_command
from .package import package_cli
from .report import report_cli
from .sweep import sweep_cli
from .table import table_cli
from .tune import tune_cli
from .weights import weights_cli

app = typer.Typer(
    name="spacy-distill",
    help="Distil a transformer's named entity recognition into a compact spaCy pipeline.",
    no_args_is_help=True,
    rich_markup_mode="markdown",  # joins the lines of docstrings into paragraphs
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("distill", context_settings=ALLOW_OVERRIDES)(distill_cli)
app.command("check")(check_cli)
app.command("corpus")(corpus_cli)
app.command("weights")(weights_cli)
app.command("table")(table_cli)
app.command("tune")(tune_cli)
app.command("choose")(choose_cli)
app.command("annotate")(annotate_cli)
app.command("evaluate")(evaluate_cli)
app.command("benchmark")(benchmark_cli)
app.command("report")(report_cli)
app.command("sweep")(sweep_cli)
app.command("package")(package_cli)


def main() -> None:
    """Run a command. Errors that the user can fix end in a message instead of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # its encoding may lack characters, such as arrows
            stream.reconfigure(errors="replace")
    if os.name == "nt":  # on Windows, weasel passes the arguments with their quotes
        sys.argv = [unquote(argument) for argument in sys.argv]
    with as_command():
        app()


def unquote(argument: str) -> str:
    """Remove the double quotes around an argument, if there are any."""
    is_quoted = len(argument) > 1 and argument[0] == argument[-1] == '"'
    return argument[1:-1] if is_quoted else argument
