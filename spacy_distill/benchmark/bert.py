"""BERT with random weights: the speed of a transformer does not depend on its weights."""

from functools import partial
from typing import Any, Dict

import numpy
import torch
from transformers import BertConfig, BertForTokenClassification

from .loaded import Loaded
from .pieces import count_cut, load_tokenizer, make_run

BYTES_OF_WEIGHT = 4  # float32
# Vocabulary size of the published checkpoints; a larger vocabulary needs more rows.
VOCAB_SIZE = 30522


def load_bert(
    *,
    tokenizer: str,
    shape: Dict[str, int],
    n_tags: int,
    n_pieces: int,
    max_pieces: int,
    padding: int,
) -> Loaded:
    """Make a BERT with random weights.

    tokenizer (str): Path of a tokenizer.json.
    shape (Dict[str, int]): Settings of its config that differ from the defaults of `BertConfig`,
        such as `hidden_size`.
    n_tags (int): Number of outputs of its head.
    n_pieces (int): Number of word pieces that the tokenizer knows.
    max_pieces (int): Texts are truncated to this number of pieces.
    padding (int): Id of the padding piece.
    RETURNS (Loaded): Runs a plain forward pass, and counts tags.
    """
    torch.manual_seed(0)
    vocab_size = max(n_pieces, shape.get("vocab_size", VOCAB_SIZE))
    config = BertConfig(**{**shape, "vocab_size": vocab_size, "num_labels": n_tags})
    model: Any = BertForTokenClassification(config).eval()

    def forward(ids: numpy.ndarray, mask: numpy.ndarray) -> numpy.ndarray:
        with torch.inference_mode():
            found = model(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask))
        return found.logits.numpy()

    max_pieces = min(max_pieces, config.max_position_embeddings)
    pieces = load_tokenizer(tokenizer, max_pieces=max_pieces)
    n_parameters = sum(weights.numel() for weights in model.parameters())
    return Loaded(
        make_run(pieces, forward, padding=padding),
        n_parameters=n_parameters,
        n_bytes=BYTES_OF_WEIGHT * n_parameters,
        count_cut=partial(count_cut, pieces),
    )
