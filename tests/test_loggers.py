import io
import re
from functools import partial

import pytest
from tqdm import tqdm

from spacy_distill.loggers import build_console_logger_v1

WEIGHTS = {"ents_f": 1.0, "ents_p": 0.0, "ents_r": None, "ents_per_type": None, "speed": 0.0}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def log(make_student):
    """Log evaluations, and return the printed rows, split at spaces."""

    def run(*infos, names=("ner",), others=(), weights=WEIGHTS, stderr=None, **settings):
        nlp = make_student()
        for name in others:
            nlp.add_pipe(name)
        if not names:
            nlp.select_pipes(disable="ner")  # like a frozen component
        for name in names[1:]:
            nlp.add_pipe("ner_tagger", name=name)
        nlp.add_pipe("entity_ruler")
        nlp.add_pipe("merge_entities")  # a mere function
        nlp.config["training"] = {"score_weights": weights, "eval_frequency": 2}
        out, err = io.StringIO(), stderr or io.StringIO()
        log_step, finish = build_console_logger_v1(**settings)(nlp, out, err)
        for info in infos:
            log_step(info)
        finish()
        assert stderr or err.getvalue() == ""  # not a terminal
        return [line.split() for line in out.getvalue().splitlines()]

    return run


def evaluation(step=200, **losses):
    return {
        "epoch": 3,
        "step": step,
        "losses": losses,
        "other_scores": {"ents_f": 0.5, "ents_p": 0.12345, "speed": 9000.0},
        "score": 0.5,
    }


def test_loggers_show_the_parts_of_the_loss(log):
    info = evaluation(ner=1.5, ner_task=0.25, ner_distillation=1.25, ner_tokens=99)
    header, rule, row = log(None, info, None)
    assert header == ["E", "#", "LOSS", "TASK", "KL", "ENTS_F", "ENTS_P", "SPEED", "SCORE"]
    assert set("".join(rule)) == {"-"}
    assert row[:5] == ["3", "200", "1.5000", "0.2500", "1.2500"]
    # Shares in percent, but words/s as they are; the final score is a share with four decimals.
    assert row[5:] == ["50.00", "12.35", "9000.00", "0.5000"]


def test_loggers_print_one_row_per_evaluation(log):
    rows = log(None, evaluation(2), None, None, evaluation(4), None)
    assert [row[1] for row in rows[2:]] == ["2", "4"]


def test_loggers_show_each_component(log):
    info = evaluation(ner=1.0, ner_task=2.0, ner_distillation=3.0, other=4.0, other_task=5.0)
    header, _, row = log(info, names=("ner", "other"))
    assert " ".join(header[2:14]) == "NER LOSS NER TASK NER KL OTHER LOSS OTHER TASK OTHER KL"
    assert row[2:8] == ["1.0000", "2.0000", "3.0000", "4.0000", "5.0000", "0.0000"]


def test_loggers_do_not_truncate_long_names(log):
    header, *_ = log(evaluation(), names=("ner", "second_recogniser"))
    assert "SECOND_RECOGNISER TASK" in " ".join(header)


def test_loggers_shorten_the_names_of_scores_as_spacy_does(log):
    header, *_ = log(evaluation(), weights={"sents_f": 0.5, "morph_per_feat": 0.5})
    assert {"SENTS_F", "MORPH_PER_..."} <= set(header)


@pytest.mark.parametrize("names", [("ner",), ()])
def test_loggers_show_the_losses_of_other_components(log, names):
    header, _, row = log(evaluation(tagger=7.125), names=names, others=["tagger"])
    n_own = 2 + 3 * len(names)
    assert header[n_own : n_own + 2] == ["LOSS", "TAGGER"]
    assert row[n_own] == "7.12"
    assert row[n_own + 1] == "50.00"


@pytest.mark.parametrize(
    "stream, progress_bar", [(io.StringIO, True), (io.StringIO, False), (Terminal, False)]
)
def test_loggers_show_no_progress_bar_without_a_terminal(log, stream, progress_bar):
    stderr = stream()
    assert len(log(None, None, evaluation(), progress_bar=progress_bar, stderr=stderr)) == 3
    assert stderr.getvalue() == ""


def test_loggers_show_the_steps_in_a_terminal(log, monkeypatch):
    monkeypatch.setattr("spacy_distill.loggers.tqdm", partial(tqdm, mininterval=0))
    terminal = Terminal()
    log(None, None, evaluation(), None, stderr=terminal)
    text = terminal.getvalue()
    assert re.findall(r"\d/\d", text) == ["0/2", "1/2", "2/2", "0/2", "1/2"]
    # Each bar is removed before a row is printed, and at the end.
    assert "\n" not in text and text.split("\r")[-2].strip() == ""


@pytest.mark.parametrize("scores, shown", [({"ents_f": None, "ents_p": None}, "-"), ({}, "0.00")])
def test_loggers_show_missing_scores(log, scores, shown):
    info = {**evaluation(), "other_scores": scores}
    assert log(info)[2][5:7] == [shown, shown]


def test_loggers_show_missing_losses(log):
    assert log(evaluation(), others=["tagger"])[2][2:6] == ["0.0000", "0.0000", "0.0000", "0.00"]
