import json
import re
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from spacy_distill.cli.sweep import sweep_cli

ROOT = Path(__file__).parents[2]
# Of each set of the demo corpus.
SENTENCES = {"train": 60, "dev": 20, "test": 30}
SHORTER = {"max_steps": 6, "eval_frequency": 3, "warmup_steps": 1}
SYSTEMS = ("teacher", "baseline-softmax", "student-softmax")


@pytest.fixture
def project(tmp_path):
    """A cut of the demo corpus, configs of a few steps, and a small transformer."""
    (tmp_path / "data").mkdir()
    for split, n in SENTENCES.items():
        text = (ROOT / "assets" / "demo" / f"{split}.conll").read_text(encoding="utf-8")
        cut = "\n\n".join(text.strip().split("\n\n")[:n])
        (tmp_path / "data" / f"{split}.conll").write_text(cut + "\n", encoding="utf-8")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for path in (tmp_path / "configs").iterdir():
        text = path.read_text(encoding="utf-8")
        for key, value in SHORTER.items():
            text = re.sub(rf"^{key} = \d+$", f"{key} = {value}", text, flags=re.M)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def transformer(project):
    """A small BERT that nothing was taught, of the width that a table needs."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    path = project / "transformer"
    path.mkdir()
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,'-"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{c}" for c in letters)]
    vocab = path / "words.txt"
    vocab.write_text("\n".join([*pieces, *(f"##{a}{b}" for a in letters for b in "aeiou")]))
    transformers.BertTokenizerFast(str(vocab), do_lower_case=True).save_pretrained(path)
    torch.manual_seed(0)
    sizes = {"hidden_size": 104, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=285, intermediate_size=32, **sizes)
    transformers.BertModel(config).save_pretrained(path)
    return path


@pytest.fixture
def run(project):
    """Run the command in a project."""
    app = typer.Typer()
    app.command()(sweep_cli)

    def invoke(*arguments, systems=SYSTEMS):
        fixed = ["data", "output"]
        options = {
            "configs": "configs",
            "work": "work",
            "teacher": "transformer",
        }
        words = [str(project / word) for word in fixed]
        words += [w for key, name in options.items() for w in (f"--{key}", str(project / name))]
        words += ["--systems", ",".join(systems), *map(str, arguments)]
        return CliRunner().invoke(app, words)

    return invoke


def rows_of(project):
    lines = (project / "output" / "sweep.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_sweep_from_end_to_end(run, project, transformer):
    options = ["--sizes", "8,1000", "--seeds", "1", "--pool-sizes", "20,all"]
    options += [
        "--variant",
        "hinton=student-softmax --components.ner.loss.direction teacher_student",
    ]
    result = run(*options, "--workers", "2")
    assert result.exit_code == 0, result.output + str(result.exception)
