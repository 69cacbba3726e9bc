from pathlib import Path

import pytest
from spacy.language import Language

from spacy_distill.annotate.docs import annotate_docs
from spacy_distill.teachers import choose
from spacy_distill.teachers.choose import choose_teacher, find_folder, find_undeclared, load_teacher
from spacy_distill.teachers.doc_ents import DocEntsTeacher
from spacy_distill.teachers.ner_tagger import NERTaggerTeacher
from spacy_distill.teachers.stock_ner import StockNERTeacher


@Language.component("declare_nothing_of_a_test")
def declare_nothing(doc):
    return doc


# Components of spaCy that set no entities of their own.
OTHERS = [
    *("attribute_ruler", "doc_cleaner", "entity_linker", "lemmatizer", "merge_entities"),
    *("merge_noun_chunks", "merge_subtokens", "morphologizer", "parser", "sentencizer", "senter"),
    *("span_finder", "span_ruler", "spancat", "spancat_singlelabel", "tagger", "textcat"),
    *("textcat_multilabel", "tok2vec", "token_splitter", "trainable_lemmatizer"),
]


def test_choose_depends_on_the_components(student, nlp, examples):
    assert isinstance(choose_teacher(student), NERTaggerTeacher)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "x"}])
    teacher = choose_teacher(nlp)
    assert isinstance(teacher, DocEntsTeacher)
    assert teacher.labels == ["X"]
    nlp.add_pipe("ner", name="stock")
    nlp.initialize(lambda: examples)
    assert isinstance(choose_teacher(nlp), StockNERTeacher)
    assert teacher.tags == ["O", "B-X", "I-X"]


def test_choose_refuses_pipelines_that_set_no_entities(nlp):
    nlp.add_pipe("sentencizer")
    with pytest.raises(ValueError, match=r"\[D808\].*sentencizer"):
        choose_teacher(nlp)
    ruler = nlp.add_pipe("span_ruler", config={"annotate_ents": True})
    ruler.add_patterns([{"label": "X", "pattern": "x"}])
    assert choose_teacher(nlp).labels == ["X"]


@pytest.mark.filterwarnings("ignore:.*W036")
@pytest.mark.parametrize("name", ["attribute_ruler", "doc_cleaner", "merge_entities"])
def test_choose_knows_components_that_set_no_entities(nlp, name):
    """Some components of spaCy do not declare what they set, but are known to set no entities."""
    nlp.add_pipe(name)
    with pytest.raises(ValueError, match=r"\[D808\]"):
        choose_teacher(nlp)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "x"}])
    assert choose_teacher(nlp).labels == ["X"]


@pytest.mark.filterwarnings("ignore:.*W036")
@pytest.mark.parametrize("kind", ["ner", "ner_tagger"])
def test_choose_finds_components_that_declare_nothing(nlp, kind):
    nlp.add_pipe(kind, name="model")
    for name in OTHERS:
        nlp.add_pipe(name)
    nlp.add_pipe("entity_ruler")
    assert find_undeclared([nlp]) == []
    for name, place in (("earlier", {"first": True}), ("later", {"last": True})):
        nlp.add_pipe("declare_nothing_of_a_test", name=name, **place)
    # Stock `ner` keeps the entities of earlier components itself.
    expected = {"ner": ["later"], "ner_tagger": ["earlier", "later"]}[kind]
    assert find_undeclared([nlp]) == expected
    nlp.disable_pipe("later")
    assert find_undeclared([nlp]) == expected[:-1]
    nlp.remove_pipe("model")  # without it, all entities of the pipeline are taught
    assert find_undeclared([nlp]) == []


def test_choose_finds_no_undeclared_transformer(nlp):
    pytest.importorskip("spacy_transformers")
    nlp.add_pipe("ner")
    nlp.add_pipe("transformer")
    assert find_undeclared([nlp]) == []


def test_choose_warns_once_of_components_that_declare_nothing(student, texts, make_doc, recwarn):
    docs = [make_doc(text) for text in texts]
    list(annotate_docs(student, docs, batch_size=2))
    assert not recwarn.list
    student.add_pipe("declare_nothing_of_a_test", name="custom")
    with pytest.warns(UserWarning, match=r"\[W003\].*'custom'.*doc\.ents") as warned:
        list(annotate_docs(student, docs, batch_size=2))
    assert len(warned) == 1


def test_choose_prefers_a_folder_over_a_package_of_the_same_name(nlp, tmp_path, monkeypatch):
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "x"}])
    nlp.to_disk(tmp_path / "en_core_of_a_test")
    (tmp_path / "package").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(choose, "is_package", lambda name: True)
    monkeypatch.setattr(choose, "get_package_path", lambda name: tmp_path / "package")
    monkeypatch.setattr("spacy.util.is_package", lambda name: True)
    assert load_teacher("en_core_of_a_test").labels == ["X"]
    assert find_folder("en_core_of_a_test") == Path("en_core_of_a_test")
    (tmp_path / "other").mkdir()  # a folder of that name that is not a pipeline
    assert find_folder("other") == tmp_path / "package"


def test_choose_refuses_a_package_with_another_import_name():
    """The package is installed as spacy-distill, but imported as spacy_distill."""
    with pytest.raises(ValueError, match=r"\[D019\] The pipeline 'spacy-distill'"):
        find_folder("spacy-distill")


def test_choose_loads_a_folder(student_path, nlp, tmp_path):
    assert isinstance(load_teacher(str(student_path)), NERTaggerTeacher)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "X", "pattern": "x"}])
    nlp.to_disk(tmp_path)
    teacher = load_teacher(str(tmp_path), smoothing=0.3)
    assert (teacher.labels, teacher.smoothing) == (["X"], 0.3)


@pytest.mark.parametrize("kind", ["ner", "ner_tagger"])
def test_choose_smooths_the_rules_next_to_a_model(nlp, examples, kind):
    nlp.add_pipe(kind)
    nlp.initialize(lambda: examples)
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "LOC", "pattern": "Bob"}])
    assert choose_teacher(nlp, smoothing=0.3).pipeline.smoothing == 0.3


NO_TEACHERS = ['{"architectures": ["BertModel"]}', '{"architectures": null}', "{}"]


@pytest.mark.parametrize("config", [None, *NO_TEACHERS])
def test_choose_refuses_folders_without_a_teacher(tmp_path, config):
    folder = tmp_path / "model"
    folder.mkdir()
    if config is not None:
        (folder / "config.json").write_text(config, encoding="utf8")
    for source in (str(folder), "no_such_package"):
        with pytest.raises(ValueError, match=r"\[D805\].*ForTokenClassification"):
            load_teacher(source)


def test_choose_reads_ids_on_the_hub_with_revisions(monkeypatch):
    from spacy_distill.teachers.hf_token_classifier import HFTokenClassifier

    asked = []
    monkeypatch.setattr(
        HFTokenClassifier, "load", lambda name, **options: asked.append((name, options))
    )
    load_teacher("owner/name@0123abc", gpu=-1)
    load_teacher("owner/name", iob1=True)
    options = {"gpu": -1, "iob1": False}
    assert asked == [
        ("owner/name", {**options, "revision": "0123abc"}),
        ("owner/name", {**options, "revision": "", "iob1": True}),
    ]


def test_choose_does_not_mistake_a_path_for_an_id(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "training").mkdir()
    with pytest.raises(ValueError, match=r"\[D805\] 'training/y'"):
        load_teacher("training/y")


def test_choose_imports_no_transformer(run_light, student_path):
    """A pipeline can be a teacher in an environment without torch and transformers."""
    code = (
        "import sys\nfrom spacy_distill.teachers.choose import load_teacher\n"
        "print(load_teacher(sys.argv[1]).tags)\nassert 'torch' not in sys.modules"
    )
    assert "B-LOC" in run_light(code, student_path)
