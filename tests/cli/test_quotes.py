import os
import shlex
import sys
from pathlib import Path

import pytest
import srsly

from spacy_distill import cli

PROJECT = srsly.read_yaml(Path(__file__).parents[2] / "project.yml")


@pytest.mark.parametrize(
    "argument, expected",
    [('""', ""), ('"my data"', "my data"), ("a", "a"), ('"', '"'), ('a"b"', 'a"b"'), ("", "")],
)
def test_quotes_around_an_argument_are_removed(argument, expected):
    assert cli.unquote(argument) == expected


@pytest.mark.parametrize("command", PROJECT["commands"], ids=lambda command: command["name"])
def test_quotes_of_the_project_are_removed_on_windows(command):
    """On Windows, weasel splits a command without removing its quotes."""
    for line in command.get("script", []):
        as_windows = shlex.split(line, posix=False)
        if line.startswith("python -m spacy_distill"):
            as_windows = list(map(cli.unquote, as_windows))
        assert as_windows == shlex.split(line)


def test_quotes_are_removed_only_on_windows(monkeypatch):
    given = ["spacy-distill", "corpus", '"my data"', "--help"]
    for system, expected in (("nt", "my data"), ("posix", '"my data"')):
        monkeypatch.setattr(sys, "argv", list(given))
        monkeypatch.setattr(os, "name", system)
        monkeypatch.setattr(cli, "app", lambda: None)
        cli.main()
        assert sys.argv[2] == expected
