import shutil

import pytest
from thinc.api import NumpyOps, get_current_ops, require_cpu, set_current_ops

from spacy_distill.loading import load_blank, load_pipeline, use_gpu


def test_loading_returns_the_pipeline(student_path, texts, student):
    nlp = load_pipeline(student_path)
    assert [doc.to_json() for doc in nlp.pipe(texts)] == [d.to_json() for d in student.pipe(texts)]


@pytest.mark.parametrize(
    "file, end", [("meta.json", b","), ("ner/model", b""), ("ner/cfg", b","), ("config.cfg", b"=")]
)
def test_loading_refuses_a_damaged_pipeline(student_path, tmp_path, file, end):
    """A pipeline may be damaged by an interrupted write. The error names its folder."""
    shutil.copytree(student_path, tmp_path / "cut")
    data = (tmp_path / "cut" / file).read_bytes()
    (tmp_path / "cut" / file).write_bytes(data[: data.index(end, len(data) // 2)])
    with pytest.raises(ValueError, match=r"(?s)\[D019\].*cut' can't be loaded.*make it again"):
        load_pipeline(tmp_path / "cut")


def test_loading_keeps_the_error_of_spacy_for_missing_pipelines(tmp_path):
    with pytest.raises(OSError, match=r"\[E052\].*none"):
        load_pipeline(tmp_path / "none")


def test_loading_a_blank_pipeline():
    nlp = load_blank("it")
    assert (nlp.lang, nlp.pipe_names) == ("it", [])
    assert [token.text for token in nlp("l'Uomo")] == ["l'", "Uomo"]
    with pytest.raises(ValueError, match=r"\[D121\].*'qqq'"):
        load_blank("qqq")


def test_loading_a_blank_pipeline_without_the_packages_of_its_tokenizer(korean):
    with pytest.raises(ValueError, match=r"\[D121\].*'ko'.*mecab-ko.*or 'xx'"):
        load_blank("ko")


def test_loading_uses_the_cpu():
    class OtherOps(NumpyOps):
        """A GPU's, as far as this test goes."""

    set_current_ops(OtherOps())
    try:
        use_gpu(-1)
        assert not isinstance(get_current_ops(), OtherOps)
    finally:
        require_cpu()


def test_loading_refuses_a_missing_gpu():
    with pytest.raises(ValueError, match=r"\[D020\] There is no GPU 97 \(.+\)\. Give -1"):
        use_gpu(97)
