"""The console logger for training: one row per evaluation, losses in nats per token."""

import sys
from typing import IO, Any, Callable, Dict, Optional, Tuple

from spacy.language import Language
from spacy.training.loggers import setup_table
from tqdm import tqdm
from wasabi import Printer

from .pipeline.ner_tagger import NERTagger

LogStep = Callable[[Optional[Dict[str, Any]]], None]


def build_console_logger_v1(*, progress_bar: bool = True) -> Callable:
    """Create the logger `spacy-distill.ConsoleLogger.v1`.

    It shows both parts of the loss of each `ner_tagger`: TASK, the cross-entropy, and KL, the
    divergence from the teacher. spaCy's logger only shows their sum. If there are several, each is
    preceded by the component's name. The losses of other components follow.

    progress_bar (bool): Show the steps until the next evaluation. It is only shown in a terminal.
    RETURNS (Callable): The logger, as `[training.logger]` expects it.
    """

    def setup_logger(
        nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr
    ) -> Tuple[LogStep, Callable[[], None]]:
        printer = Printer(no_print=True)
        settings = nlp.config["training"]
        names = [name for name, pipe in nlp.pipeline if isinstance(pipe, NERTagger)]
        others = [name for name, pipe in nlp.pipeline if is_trained(pipe) and name not in names]
        columns = [
            column for column, weight in settings["score_weights"].items() if weight is not None
        ]
        parts = [
            f"{name} {part}" if len(names) > 1 else part
            for name in names
            for part in ("Loss", "Task", "KL")
        ]
        parts += [f"Loss {name}" for name in others]
        header, widths, aligns = setup_table(
            cols=["E", "#", *parts, *columns, "Score"],
            widths=[3, 6, *[8] * len(parts), *[6] * len(columns), 6],
            max_width=max([13, *map(len, parts)]),  # so that no name is cut
        )

        def write(row: Any) -> None:
            print(
                printer.row(row, widths=widths, aligns=aligns, spacing=2), file=stdout, flush=True
            )

        def new_bar() -> tqdm:
            hide = None if progress_bar else True  # None: shown in a terminal only
            total = settings["eval_frequency"]
            return tqdm(total=total, disable=hide, leave=False, file=stderr, unit="step")

        write(header)
        write(["-" * width for width in widths])
        bar = new_bar()

        def log_step(info: Optional[Dict[str, Any]]) -> None:
            nonlocal bar
            if info is None:
                bar.update(1)
                return
            losses = [
                f"{info['losses'].get(name + part, 0.0):.4f}"
                for name in names
                for part in ("", "_task", "_distillation")
            ]
            losses += [f"{info['losses'].get(name, 0.0):.2f}" for name in others]
            scores = [
                show_score(column, info["other_scores"].get(column, 0.0)) for column in columns
            ]
            bar.close()
            write([info["epoch"], info["step"], *losses, *scores, f"{info['score']:.4f}"])
            bar = new_bar()

        return log_step, lambda: bar.close()

    return setup_logger


def is_trained(pipe: object) -> bool:
    return getattr(pipe, "is_trainable", False)


def show_score(name: str, value: Optional[float]) -> str:
    """Format a score as spaCy's logger does: in percent, except for the speed in words/s."""
    if value is None:  # nothing in the development set to score
        return "-"
    return f"{value:.2f}" if name == "speed" else f"{100 * value:.2f}"
