import importlib.util
from pathlib import Path

import pytest
import srsly

from spacy_distill.sweep.stages import counts_file, tuned_file

RESULTS = Path(__file__).parents[2] / "results"
# For each seed: F1 on dev, and the right, wrong and missed entities in each of two sentences.
SEEDS = {
    "0": {
        "teacher": (0.5, [(1, 0), (1, 1), (1, 1)]),  # F1 1 / (1 + 0.5 * 4)
        "plain": (0.6, [(1, 1), (0, 0), (0, 0)]),
        "long": (0.7, [(1, 1), (1, 1), (1, 1)]),
    },
    "1": {
        "teacher": (0.5, [(1, 0), (1, 1), (1, 1)]),
        "plain": (0.9, [(2, 1), (0, 0), (0, 2)]),
        "long": (0.8, [(0, 0), (1, 1), (1, 1)]),
    },
}


@pytest.fixture
def best_of(monkeypatch):
    monkeypatch.syspath_prepend(RESULTS)  # it imports a module of the same folder
    pytest.importorskip("transformers")
    spec = importlib.util.spec_from_file_location("best_of", RESULTS / "best_of.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_best_of_chooses_on_the_development_set(best_of, tmp_path, capsys):
    for seed, systems in SEEDS.items():
        folder = tmp_path / "750" / seed
        (folder / "metrics").mkdir(parents=True)
        for name, (dev, counts) in systems.items():
            srsly.write_json(tuned_file(folder, name), {"after": dev})
            srsly.write_json(counts_file(folder, name), dict(zip(("tp", "fp", "fn"), counts)))
    best_of.print_best(tmp_path, 750, systems="plain,long", seeds="0,1")
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:6]]
    assert [row[:3] for row in rows] == [
        ["teacher", "50.0", "33.3 ± 0.0"],
        ["plain", "75.0", "87.5 ± 17.7"],
        ["long", "75.0", "25.0 ± 35.4"],
        ["the best of these on dev", "80.0", "62.5 ± 17.7"],  # once `long`, once `plain`
    ]
    assert rows[-1][3].startswith("+29.2 (") and rows[0][3] == ""
    assert lines[-1] == "Chosen: long, plain"
