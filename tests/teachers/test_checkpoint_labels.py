import numpy
import pytest
from numpy.testing import assert_allclose

from spacy_distill.teachers.checkpoint_labels import read_scheme


def to_tags(scheme, rows):
    """Convert probabilities of labels to those of tags."""
    with numpy.errstate(divide="ignore"):
        return numpy.exp(scheme.to_tags(numpy.log(numpy.asarray(rows, dtype="f"))))


@pytest.mark.parametrize(
    "labels, tags",
    [
        (["O", "B-PER", "I-PER"], "O B-PER I-PER"),
        (["B_PER", "O", "I_PER"], "O B-PER I-PER"),
        (["I-LOC", "I-PER", "O"], "O B-LOC I-LOC B-PER I-PER"),
        (["O", "PER", "LOC"], "O B-PER I-PER B-LOC I-LOC"),
        (["O", "BUILDING", "I-9"], "O B-BUILDING I-BUILDING B-I-9 I-I-9"),
        (["O", "S-A", "B-A", "I-A", "E-A"], "O B-A I-A L-A U-A"),
        (["O", "U-A", "B-A", "I-A", "L-A"], "O B-A I-A L-A U-A"),
        (["O", "B-first-name", "I-first-name"], "O B-first-name I-first-name"),
        (["O", "B-A", "M-A", "E-A", "S-A"], "O B-A I-A L-A U-A"),
        (["O", "PER-B", "PER-I", "LOC_B", "LOC_I"], "O B-PER I-PER B-LOC I-LOC"),
        (["O", "GENE-I", "GENE-S"], "O B-GENE-I I-GENE-I B-GENE-S I-GENE-S"),
        (["O", "B-I", "I-I", "B-B", "I-B"], "O B-I I-I B-B I-B"),
        (["[PAD]", "O", "B-PER", "I-PER", "X"], "O B-PER I-PER"),
        (["[PAD]", "O", "PER", "X"], "O B-PER I-PER B-X I-X"),
        (["O", "B.cell", "T.cell"], "O B-B.cell I-B.cell B-T.cell I-T.cell"),
        (["O", "b.1", "i.2"], "O B-b.1 I-b.1 B-i.2 I-i.2"),
        (["O", "bass", "iass"], "O B-bass I-bass B-iass I-iass"),
    ],
)
def test_checkpoint_labels_become_tags(labels, tags):
    assert read_scheme(labels, teacher="x").tags == tags.split()


@pytest.mark.parametrize(
    "labels",
    [
        ["LABEL_0", "LABEL_1"],
        ["O"],
        ["B-PER", "I-PER"],
        ["O", "B", "I"],
        ["O", "B-PER", "I-PER", "LOC"],
        ["O", "B-PER", "M-PER", "E-PER", "LOC"],
        ["O", "b-per", "i-per"],
        ["O", "B-PER", "i-PER"],
        ["O", "B:PER", "I:PER"],
        ["O", "B.PER", "I.PER", "B.LOC"],
        ["O", "B PER", "I PER", "X"],
        ["O", "b_per", "i_per", "B-LOC", "I-LOC"],
    ],
)
def test_checkpoint_labels_need_an_outside_and_one_scheme(labels):
    with pytest.raises(ValueError, match=r"\[D806\].*'some/checkpoint'"):
        read_scheme(labels, teacher="some/checkpoint")


def test_checkpoint_labels_of_iob2_keep_their_probabilities():
    scheme = read_scheme(["B-A", "O", "I-A"], teacher="x")
    # The second I does not follow an A. Decoding handles that; the probabilities are kept.
    rows = [[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]
    assert_allclose(to_tags(scheme, rows), numpy.asarray(rows)[:, [1, 0, 2]], atol=1e-4)


def test_checkpoint_labels_of_iobes_are_reordered():
    scheme = read_scheme(["E-A", "S-A", "O", "I-A", "B-A"], teacher="x")
    found = to_tags(scheme, [[0.1, 0.2, 0.3, 0.15, 0.25]])
    assert_allclose(found, [[0.3, 0.25, 0.15, 0.1, 0.2]], atol=1e-4)


@pytest.mark.parametrize("labels", [["O", "A", "B"], ["O", "I-A", "I-B"]])
def test_checkpoint_labels_of_io_begin_at_a_new_label(labels):
    scheme = read_scheme(labels, teacher="x")
    rows = [[0.1, 0.8, 0.1], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7], [0.6, 0.1, 0.3], [0.1, 0.1, 0.8]]
    expected = [  # O B-A I-A B-B I-B
        [0.1, 0.8, 0.0, 0.1, 0.0],
        [0.2, 0.0, 0.6, 0.2, 0.0],
        [0.1, 0.0, 0.2, 0.7, 0.0],
        [0.6, 0.1, 0.0, 0.0, 0.3],
        [0.1, 0.1, 0.0, 0.8, 0.0],
    ]
    assert_allclose(to_tags(scheme, rows), expected, atol=1e-4)


def test_checkpoint_labels_of_iob1_separate_entities_of_one_label():
    labels = ["O", "B-A", "I-A"]
    scheme = read_scheme(labels, teacher="x", iob1=True)
    rows = [[0.1, 0.0, 0.9], [0.1, 0.2, 0.7], [0.0, 0.8, 0.2], [0.9, 0.0, 0.1], [0.2, 0.0, 0.8]]
    expected = [
        [0.1, 0.9, 0.0],
        [0.1, 0.2, 0.7],
        [0.0, 0.8, 0.2],
        [0.9, 0.0, 0.1],
        [0.2, 0.8, 0.0],
    ]
    assert_allclose(to_tags(scheme, rows), expected, atol=1e-4)


@pytest.mark.parametrize(
    "labels, is_iob1",
    [
        # Of xlm-roberta-large-finetuned-conll03-english: no two persons are adjacent in its data.
        ("B-LOC B-MISC B-ORG I-LOC I-MISC I-ORG I-PER O", True),
        ("LOC-B LOC-I PER-I O", True),
        ("B-LOC I-LOC B-PER I-PER O", False),
        ("B-LOC I-LOC B-PER O", False),  # IOB2 in which all persons are single words
        ("B-LOC I-LOC E-LOC S-LOC I-PER O", False),
        ("B-LOC M-LOC E-LOC S-PER O", False),
    ],
)
def test_checkpoint_labels_show_iob1_if_one_has_no_begin(labels, is_iob1):
    assert read_scheme(labels.split(), teacher="x").begins_with_inside == is_iob1


def test_checkpoint_labels_of_iob1_find_an_entity_without_a_begin():
    scheme = read_scheme(["B-A", "I-A", "I-B", "O"], teacher="x")
    rows = [[0.0, 0.0, 0.9, 0.1], [0.0, 0.0, 0.1, 0.9], [0.0, 0.8, 0.0, 0.2], [0.7, 0.3, 0.0, 0.0]]
    expected = [  # O B-A I-A B-B I-B
        [0.1, 0.0, 0.0, 0.9, 0.0],
        [0.9, 0.0, 0.0, 0.0, 0.1],
        [0.2, 0.8, 0.0, 0.0, 0.0],
        [0.0, 0.7, 0.3, 0.0, 0.0],
    ]
    assert_allclose(to_tags(scheme, rows), expected, atol=1e-4)


def test_checkpoint_labels_of_tokens_without_scores():
    """An entity can continue after them, and none can before the first token with scores."""
    scheme = read_scheme(["O", "A"], teacher="x")
    unseen, entity, outside = [numpy.nan, numpy.nan], [0.1, 0.9], [0.9, 0.1]
    rows = [unseen, entity, unseen, unseen, entity, outside, unseen, entity, unseen]
    found = to_tags(scheme, rows)
    without = numpy.isnan(rows).any(axis=1)
    assert numpy.isnan(found[without]).all()
    begin, inside = [0.1, 0.9, 0.0], [0.1, 0.0, 0.9]
    expected = [begin, inside, [0.9, 0.0, 0.1], begin]
    assert_allclose(found[~without], expected, atol=1e-4)


def test_checkpoint_labels_of_pieces_and_padding_are_outside():
    scheme = read_scheme(["O", "B-A", "I-A", "X", "[PAD]"], teacher="x")
    found = to_tags(scheme, [[0.1, 0.4, 0.1, 0.3, 0.1]])
    assert_allclose(found, [[0.5, 0.4, 0.1]], atol=1e-4)
