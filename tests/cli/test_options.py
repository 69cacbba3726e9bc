import pytest

from spacy_distill.cli.options import read_numbers, read_seeds


def test_options_read_numbers_between_commas():
    assert read_numbers(" 300,150, 300,", "--sizes") == [300, 150]
    assert read_numbers("500,all", "--pool-sizes", all_word="all") == [500, 0]
    for text in ("", ",", "-1", "1.5", "all", "²", "1;2"):
        with pytest.raises(ValueError, match=r"\[D605\] --sizes"):
            read_numbers(text, "--sizes")


def test_options_read_a_count_or_a_list_of_seeds():
    assert read_seeds("3") == [0, 1, 2]
    assert read_seeds("3,1") == [3, 1]
    assert read_seeds("3,") == [3]
    with pytest.raises(ValueError, match=r"\[D605\] --seeds"):
        read_seeds("x")
    with pytest.raises(ValueError, match=r"\[D007\] --seeds is '0', but must be 1 or more"):
        read_seeds("0")
