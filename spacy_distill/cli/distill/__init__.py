"""The command `distill`, and its steps: corpus, table, annotation, training and scores."""

from .command import ALLOW_OVERRIDES, distill_cli, spacy_command

__all__ = ["ALLOW_OVERRIDES", "distill_cli", "spacy_command"]
