import pytest

from spacy_distill.cli.distill.config import warn_unscored


@pytest.mark.parametrize("steps, is_warned", [(20, True), (100, False), (0, False)])
def test_distill_config_warns_if_training_is_evaluated_once(steps, is_warned, capsys):
    warn_unscored({"max_steps": steps, "eval_frequency": 100})
    assert (f"stops after {steps} steps" in " ".join(capsys.readouterr().out.split())) == is_warned
