from functools import partial

import numpy
import pytest
from numpy.testing import assert_array_equal
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from spacy_distill.benchmark.bert import load_bert
from spacy_distill.benchmark.pieces import count_cut, load_tokenizer, make_batches, make_run

VOCAB = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "a": 4, "b": 5, "c": 6}
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "vocab_size": 7,
    "max_position_embeddings": 12,
}


@pytest.fixture
def tokenizer(tmp_path):
    tokenizer = Tokenizer(models.WordLevel(VOCAB, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    # The settings of a tokenizer after training.
    tokenizer.enable_padding(length=30)
    tokenizer.enable_truncation(4)
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    return str(path)


def test_pieces_are_batched_by_length():
    sequences = [[4] * 5, [5], [6] * 3, [7, 7]]
    batches = list(make_batches(sequences, batch_size=2, padding=9))
    assert [ids.tolist() for ids, _ in batches] == [
        [[5, 9], [7, 7]],
        [[6, 6, 6, 9, 9], [4, 4, 4, 4, 4]],
    ]
    assert [mask.tolist() for _, mask in batches] == [
        [[1, 0], [1, 1]],
        [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]],
    ]
    alone = [ids.tolist() for ids, _ in make_batches(sequences, batch_size=1, padding=9)]
    assert alone == [[sequence] for sequence in sequences]


def test_pieces_run_reads_all_texts(tokenizer):
    seen = []

    def forward(ids, mask):
        seen.append((ids, mask))
        return numpy.zeros((*ids.shape, 5))

    pieces = load_tokenizer(tokenizer, max_pieces=5)
    run = make_run(pieces, forward, padding=0)
    texts = ["a b", "c", "a b c a b c", "x"]
    # Each text has two special pieces; padding is not counted; the third text is truncated.
    assert run(texts, 3) == 4 + 3 + 5 + 3
    assert count_cut(pieces, [*texts, "a b c"]) == 1
    assert [ids.shape for ids, _ in seen] == [(3, 4), (1, 5)]
    assert_array_equal(seen[0][0][0], [2, 6, 3, 0])
    assert run(texts, 1) == 15
    assert [ids.shape[0] for ids, _ in seen[2:]] == [1] * 4


def test_pieces_bert_has_the_given_shape(tokenizer):
    load = partial(load_bert, tokenizer=tokenizer, shape=SHAPE, n_tags=5, max_pieces=512, padding=0)
    small = load(n_pieces=7)
    attention, feed_forward, norms = 4 * (16 * 16 + 16), 16 * 24 + 24 + 24 * 16 + 16, 4 * 16
    embeddings = (7 + 12 + 2) * 16 + 2 * 16
    expected = embeddings + 2 * (attention + feed_forward + norms) + 16 * 5 + 5
    assert small.n_parameters == expected
    assert small.n_bytes == 4 * expected
    assert small.clear_cache is None
    # No text is longer than BERT can be.
    assert small.run(["a b c " * 20, "a"], 2) == 12 + 3
    assert small.count_cut(["a b c " * 20, "a"]) == 1
    larger = load(n_pieces=10)
    assert larger.n_parameters == expected + 3 * 16
