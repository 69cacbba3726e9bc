import shutil

import pytest

from spacy_distill.loading import load_pipeline, use_gpu


def test_loading_returns_the_pipeline(student_path, texts, student):
    nlp = load_pipeline(student_path)
    assert [doc.to_json() for doc in nlp.pipe(texts)] == [d.to_json() for d in student.pipe(texts)]


@pytest.mark.parametrize("file", ["meta.json", "ner/model", "ner/cfg", "config.cfg"])
def test_loading_refuses_a_damaged_pipeline(student_path, tmp_path, file):
    """A pipeline may be damaged by an interrupted write. The error names its folder."""
    shutil.copytree(student_path, tmp_path / "cut")
    data = (tmp_path / "cut" / file).read_bytes()
    (tmp_path / "cut" / file).write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match=r"(?s)\[D019\].*cut' can't be loaded.*make it again"):
        load_pipeline(tmp_path / "cut")


def test_loading_keeps_the_error_of_spacy_for_missing_pipelines(tmp_path):
    with pytest.raises(OSError, match=r"\[E052\].*none"):
        load_pipeline(tmp_path / "none")


def test_loading_refuses_a_missing_gpu():
    use_gpu(-1)
    with pytest.raises(ValueError, match=r"\[D020\] There is no GPU 97 \(.+\)\. Give -1"):
        use_gpu(97)
