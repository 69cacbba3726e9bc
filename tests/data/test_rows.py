import json

import pytest
import spacy

from spacy_distill.data.rows import read_jsonl


@pytest.fixture(scope="module")
def nlp():
    return spacy.blank("en")


@pytest.fixture
def read(nlp, tmp_path):
    """Write a JSONL file and read it."""

    def write_and_read(text, *, lang="en"):
        (tmp_path / "a.jsonl").write_text(text, encoding="utf-8")
        other = nlp if lang == "en" else spacy.blank(lang)
        return list(read_jsonl(tmp_path / "a.jsonl", nlp=other))

    return write_and_read


def words_of(docs):
    return [[token.text for token in doc] for doc in docs]


def ents_of(doc):
    return [(ent.start, ent.end, ent.label_) for ent in doc.ents]


def json_lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.mark.parametrize("first, second", [([], [[0, 3, "PER"]]), ([[0, 3, "PER"]], [])])
def test_jsonl_reads_labels_next_to_an_empty_list(read, first, second):
    row = {"text": "Ann left.", "entities": first, "spans": second}
    (doc,) = read(json_lines(row))
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Ann", "PER")]


@pytest.mark.parametrize("key", ["entities", "spans", "ents", "label"])
@pytest.mark.parametrize("as_dict", [False, True])
def test_jsonl_reads_character_spans(read, key, as_dict):
    spans = [[9, 15, "LOC"], [0, 3, "PER"]]
    if as_dict:
        spans = [dict(zip(("start", "end", "label"), span, strict=True)) for span in spans]
    docs = read(json_lines({"text": "Ann left London.", key: spans}))
    assert words_of(docs) == [["Ann", "left", "London", "."]]
    assert ents_of(docs[0]) == [(0, 1, "PER"), (2, 3, "LOC")]
    assert docs[0].text == "Ann left London."


def test_jsonl_reads_escaped_characters(read):
    assert words_of(read('{"text": "\\ud83d\\ude00 \\u00e9"}')) == [["\N{GRINNING FACE}", "é"]]


@pytest.mark.parametrize("key", ["tags", "ner_tags"])
def test_jsonl_reads_tokens_and_tags(read, key):
    row = {"tokens": ["Ann", "Lee", "left."], key: ["I-PER", "I-PER", "O"]}
    docs = read(json_lines(row, {**row, key: ["B-PER", "L-PER", "O"]}))
    assert words_of(docs) == [["Ann", "Lee", "left."]] * 2
    assert [ents_of(doc) for doc in docs] == [[(0, 2, "PER")]] * 2


def test_jsonl_reads_entities_of_doccano(read):
    entity = {"id": 7, "start_offset": 0, "end_offset": 3, "label": "PER"}
    row = {"id": 1, "text": "Ann left", "entities": [entity], "relations": []}
    assert ents_of(*read(json_lines(row))) == [(0, 1, "PER")]


@pytest.mark.parametrize("key", ["label", "labels"])
def test_jsonl_reads_a_labels_field(read, key):
    """`labels` may be entities (of older doccano) or tags. Others are labels of the whole text."""
    rows = [{"text": "Ann left", key: [[0, 3, "PER"]]}]
    rows += [{"tokens": ["Ann", "left"], key: ["B-PER", "O"]}]
    rows += [{"text": "Ann left", key: ["sport"]}, {"text": "Ann left", key: [2]}]
    rows += [{"tokens": ["Ann", "left"], key: labels} for labels in (["sport"], 2)]
    rows += [{"text": "Ann left", key: []}]
    docs = read(json_lines(*rows))
    assert list(map(ents_of, docs)) == [[(0, 1, "PER")]] * 2 + [[]] * 5
    labelled = [doc.has_annotation("ENT_IOB") for doc in docs]
    assert labelled == [True, True, False, False, False, False, True]


def test_jsonl_reads_numbers_of_any_size(read):
    lines = [f'{{"id": {10**30}, "text": "Ann"}}', '{"score": NaN, "text": "Ann"}']
    assert words_of(read("\n".join(lines))) == [["Ann"]] * 2


def test_jsonl_strips_labels(read):
    rows = [{"text": "Ann left", "entities": [[0, 3, " PER "]]}]
    rows += [{"tokens": ["Ann", "left"], "tags": ["B-PER ", "O"]}]
    assert list(map(ents_of, read(json_lines(*rows)))) == [[(0, 1, "PER")]] * 2


def test_jsonl_without_entities_is_unlabelled_but_empty_entities_are_labels(read):
    rows = [{"text": "a"}, {"text": "a", "entities": []}, {"text": "a", "label": "SPAM"}]
    rows += [{"tokens": ["a"]}, {"text": "a", "spans": None}]
    docs = read(json_lines(*rows))
    labelled = [doc.has_annotation("ENT_IOB") for doc in docs]
    assert labelled == [False, True, False, False, False]
    assert docs[1][0].ent_iob_ == "O"


def test_jsonl_leaves_out_blank_lines_blank_texts_and_rejected_examples(read):
    rows = json_lines({"text": " "}, {"text": ""}, {"text": "no", "answer": "reject"})
    rows += json_lines({"text": None}, {"text": None, "tokens": None}, {"tokens": None})
    docs = read("\n" + rows + "\n" + json_lines({"text": "yes", "answer": "accept"}))
    assert words_of(docs) == [["yes"]]
    # In other data, `answer` has another meaning.
    rows = [{"text": "who", "answer": "me"}, {"text": "what", "answer": None}]
    assert words_of(read(json_lines(*rows))) == [["who"], ["what"]]


def test_jsonl_keeps_tokens_next_to_a_text(read):
    """Given tokens are used unless entities are given by character offsets."""
    row = {"text": "Ann-Lee left.", "tokens": ["Ann-Lee", "left."]}
    docs = read(json_lines(row, {**row, "entities": [[0, 3, "PER"]]}, {**row, "tokens": []}))
    split = ["Ann", "-", "Lee", "left", "."]
    assert words_of(docs) == [["Ann-Lee", "left."], split, split]
    assert ents_of(docs[1]) == [(0, 1, "PER")]


def test_jsonl_leaves_out_tokens_without_text(read):
    tokens = ["", "Ann", "", " ", "Lee", ""]
    tags = ["O", "B-PER", "O", "O", "B-PER", "O"]
    docs = read(json_lines({"tokens": tokens}, {"tokens": tokens, "tags": tags}))
    assert words_of(docs) == [["Ann", " ", "Lee"]] * 2
    assert ents_of(docs[1]) == [(0, 1, "PER"), (2, 3, "PER")]
    assert read(json_lines({"tokens": [""], "tags": ["O"]})) == []


@pytest.mark.parametrize(
    "text, entity", [("in  Berlin is", [3, 10, "LOC"]), ("Berlin is", [0, 7, "LOC"])]
)
def test_jsonl_trims_whitespace_from_entities(read, text, entity):
    (doc,) = read(json_lines({"text": text, "entities": [entity]}))
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Berlin", "LOC")]


def test_jsonl_misaligned_span_names_the_text_and_the_tokens(read):
    rows = json_lines({"text": "ok"}, {"text": "The Londoners", "entities": [[4, 10, "LOC"]]})
    with pytest.raises(ValueError) as error:
        read(rows)
    message = str(error.value)
    assert "[D109]" in message and "a.jsonl', line 2:" in message
    assert "4-10 'London' (LOC)" in message
    assert "the tokens it touches are 'Londoners'" in message
    assert "1 of the 1 entities" in message and "and --lang" in message


def test_jsonl_a_few_misaligned_entities_are_not_annotated(read):
    """Tokenizers keep words such as 'Siemens-Chef' whole, and annotators mark a part of them."""
    german = {"text": "Nordsee-Ostsee-Linie in Kiel", "entities": [[8, 14, "LOC"], [24, 28, "LOC"]]}
    german["entities"].insert(0, [0, 7, "LOC"])
    fine = {"text": "Kiel liegt hier", "entities": [[0, 4, "LOC"]]}
    with pytest.warns(UserWarning, match=r"\[W004\].*: 2 of 10, first in line 3 'Nordsee' \(LOC\)"):
        docs = read(json_lines(fine, fine, german, *[fine] * 5), lang="de")
    doc = docs[2]
    assert [token.ent_iob_ for token in doc] == ["", "O", "B"]
    assert ents_of(doc) == [(2, 3, "LOC")]
    with pytest.raises(ValueError, match=r"\[D109\] .*line 3: entity 0-7 .* 2 of the 9 entities"):
        read(json_lines(fine, fine, german, *[fine] * 4), lang="de")
    # A text in which nothing is annotated is left out, and not taken for unlabelled text.
    alone = {"text": "Siemens-Drucker", "entities": [[0, 7, "ORG"]]}
    with pytest.warns(UserWarning, match=r"\[W004\].*: 1 of 9"):
        assert len(read(json_lines(alone, *[fine] * 8), lang="de")) == 8


@pytest.mark.parametrize(
    "line,code",
    [
        ("{", "D107"),
        ('{"text": "a"} {"text": "b"}', "D107"),
        ("[" * 100_000, "D107"),
        ('["a"]', "D108"),
        ('{"sentence": "a"}', "D108"),
        ('{"tokens": ["a"], "tags": ["O", "O"]}', "D108"),
        ('{"tokens": ["a"], "ner_tags": [0]}', "D108"),
        ('{"text": "a b", "tags": ["B-PER", "O"]}', "D108"),
        ('{"tokens": ["a"], "tags": ["PER"]}', "D102"),
        ('{"tokens": ["a", ""], "tags": ["O", "B-PER"]}', "D106"),
        ('{"text": "a \\ud83d"}', "D127"),
        ('{"tokens": ["a", "\\ude00"]}', "D127"),
        ('{"tokens": ["a"], "tags": ["B-\\ud83d"]}', "D127"),
        ('{"text": "a", "spans": [{"start": 0, "end": 1, "label": "\\ud83d"}]}', "D127"),
        ('{"text": "a b", "entities": [[0, 9, "X"]]}', "D115"),
        ('{"text": "a b", "entities": [[1, 1, "X"]]}', "D115"),
        ('{"text": "a b", "entities": [[0, 1]]}', "D115"),
        ('{"text": "a b", "entities": [[0, 1, " "]]}', "D115"),
        ('{"text": "a b", "entities": [["0", "1", "X"]]}', "D115"),
        ('{"text": "a b", "entities": [{"start": 0, "label": "X"}]}', "D115"),
        ('{"text": "a b", "entities": [[0, 3, "X"], [2, 3, "Y"]]}', "D130"),
    ],
)
def test_jsonl_malformed_line_is_an_error_with_its_number(read, line, code):
    with pytest.raises(ValueError, match=rf"\[{code}\] '.*a\.jsonl', line 2:"):
        read('{"text": "fine"}\n' + line + "\n")


@pytest.mark.parametrize(
    "row, error",
    [
        ({"tokens": ["Bob", "ran"], "entities": [[0, 3, "PER"]]}, "no 'text'"),
        ({"tokens": ["Bob", "ran"], "spans": []}, "no 'text'"),
        ({"text": "Bob ran", "entities": '[[0, 3, "PER"]]'}, "'entities' is a str"),
        ({"text": "Bob ran", "spans": {"start": 0, "end": 3, "label": "PER"}}, "'spans' is a dict"),
        ({"text": "Bob ran", "label": {"PER": {"Bob": [[0, 2]]}}}, "'label' is a dict"),
        ({"text": "Bob ran", "labels": {"PER": {"Bob": [[0, 2]]}}}, "'labels' is a dict"),
        ({"tokens": ["Bob", "ran"], "tags": [1, 0]}, r"class ids \[1, 0\] without names"),
        ({"tokens": ["Bob", 1984], "tags": ["O", "O"]}, "1984 among the 'tokens' is a int"),
        ({"tokens": ["Bob", None]}, "None among the 'tokens' is a NoneType"),
        ({"tokens": "a b"}, "'tokens' is a str, not a list"),
        ({"text": 5}, "'text' is a int, not a string"),
        ({"text": ["a"], "tokens": 5}, "'text' is a list, not a string"),
        ({"sentence": "a"}, r"neither 'text' nor 'tokens' among \['sentence'\]"),
    ],
)
def test_jsonl_refuses_rows_whose_labels_cannot_be_read(read, row, error):
    with pytest.raises(ValueError, match=rf"\[D108\].*a.jsonl', line 2: .*{error}"):
        read(json_lines({"text": "Ann left."}, row))


def test_jsonl_names_the_wrong_entity(read):
    """The message shows the entity as it was written."""
    row = {"text": "Ann Smith left", "entities": [[0, 9, "PER"], [0, 3, "PER"]]}
    with pytest.raises(ValueError, match=r"\[D130\].*'Ann' \(PER\) overlaps 'Ann Smith' \(PER\)"):
        read(json_lines(row))
    with pytest.raises(ValueError, match=r"\[D115\].*\{'begin': 0, 'end': 3, 'label': 'PER'\}"):
        read(json_lines({**row, "entities": [{"begin": 0, "end": 3, "label": "PER"}]}))


def test_jsonl_leaves_out_rejected_answers_of_prodigy(read):
    spans = [
        {"start": 0, "end": 3, "label": "PER", "answer": "accept"},
        {"start": 9, "end": 13, "label": "LOC", "answer": "reject"},
    ]
    row = {"text": "Ann left Rome", "spans": spans, "answer": "accept"}
    (doc, other) = read(json_lines(row, {**row, "spans": spans[1:]}))
    assert [(ent.text, ent.label_) for ent in doc.ents] == [("Ann", "PER")]
    assert [token.ent_iob_ for token in other] == ["O", "O", "O"]  # still labelled
    binary = {**row, "spans": spans[:1], "_is_binary": True}
    with pytest.raises(ValueError, match=r"\[D136\].*line 2: .*_is_binary"):
        read(json_lines(row, binary))
    # There is no error if it was not accepted, or has no entities.
    rows = [{**binary, "answer": "reject"}, {"text": "Ann", "_is_binary": True, "label": "SPORT"}]
    assert words_of(read(json_lines(*rows))) == [["Ann"]]


def test_jsonl_stops_reading_if_most_entities_are_misaligned(nlp, tmp_path):
    """As with the wrong language: a large source is not read to its end."""
    row = {"text": "The Londoners", "entities": [[4, 10, "LOC"]]}
    (tmp_path / "a.jsonl").write_text(json_lines(*[row] * 3000), encoding="utf-8")
    n_read = 0
    with pytest.raises(ValueError, match=r"\[D109\].* 1000 of the 1000 entities"):
        for _ in read_jsonl(tmp_path / "a.jsonl", nlp=nlp):
            n_read += 1
    assert n_read == 1000


def test_jsonl_an_entity_that_is_a_space_touches_no_token(read):
    fine = {"text": "Ann left", "entities": [[0, 3, "PER"]]}
    row = {"text": "Ann Lee", "entities": [[0, 3, "PER"], [3, 4, "X"]]}
    with pytest.warns(UserWarning, match=r"\[W004\].*: 1 of 11"):
        docs = read(json_lines(row, *[fine] * 9))
    assert [token.ent_iob_ for token in docs[0]] == ["B", "O"]


def test_jsonl_tags_may_be_topics(read):
    rows = [{"text": "We sell online", "tags": ["E-commerce"]}]
    rows += [{"text": "Ann sells", "entities": [[0, 3, "PER"]], "tags": ["O", "B-movie"]}]
    docs = read(json_lines(*rows))
    assert [len(doc.ents) for doc in docs] == [0, 1]
