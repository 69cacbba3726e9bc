"""Teachers with `ner_tagger` whose other components change the tokens."""

import pytest
from spacy.language import Language

from spacy_distill.annotate.docs import annotate_docs


@Language.component("move_boundary_of_a_test", retokenizes=True)
def move_boundary(doc):
    """Split the first token and merge the last two: the number of tokens stays the same."""
    with doc.retokenize() as retokenizer:
        retokenizer.split(doc[0], [doc[0].text[:1], doc[0].text[1:]], heads=[doc[0], doc[0]])
        retokenizer.merge(doc[-2:])
    return doc


@pytest.mark.filterwarnings("ignore:.*W036")
def test_ner_tagger_teacher_refuses_components_that_change_the_tokens(student, make_doc):
    docs = [make_doc("Bob left"), make_doc("Bob saw Constantinople today")]
    student.add_pipe("sentencizer", first=True)
    config = {"min_length": 10, "split_length": 5}
    student.add_pipe("token_splitter", first=True, config=config)
    expected = r"\[D809\] .* component 'token_splitter' .*model-best.* 'Constantinople'"
    with pytest.raises(ValueError, match=expected):
        list(annotate_docs(student, docs))
    with pytest.raises(ValueError, match="Constantinople"):
        list(annotate_docs(student, docs, others=[student]))
    assert [len(doc) for doc in annotate_docs(student, docs[:1])] == [2]
    student.remove_pipe("token_splitter")
    student.add_pipe("token_splitter", after="ner", config=config)
    assert [len(doc) for doc in annotate_docs(student, docs)] == [2, 4]


@pytest.mark.filterwarnings("ignore:.*W003")
def test_ner_tagger_teacher_compares_the_tokens_not_their_number(student, make_doc):
    student.add_pipe("move_boundary_of_a_test", first=True)
    with pytest.raises(ValueError, match=r"\[D809\] .* component 'move_boundary.* 'Bob'"):
        list(annotate_docs(student, [make_doc("Bob saw Rome")]))
