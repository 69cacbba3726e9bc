"""Rows of a lookup table from a pre-trained transformer, and a segmenter from its tokenizer.

Only modules that use a transformer import this one, because it needs torch and transformers.
"""

import json
from functools import partial
from textwrap import shorten
from typing import (
    Any,
    Callable,
    Container,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

import numpy
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

from .errors import Errors
from .layers.lookup import DEFAULT_WIDTH
from .segmentation import BYTE_ALPHABET, NORMALISATION, Segmenter, UnicodeForm, word_segmenter
from .table import Table, reduce_rows

# Tokens in a batch. Larger batches are slower, because the activations exceed the CPU cache.
BATCH_TOKENS = 1024
# Only this many pieces of a word are encoded: positions are limited, and anything longer is not a
# word.
MAX_PIECES = 128
# The most pieces in a text if a transformer does not specify it.
DEFAULT_LENGTH = 512
# Draws a progress bar: it passes the batches on, and counts them.
Progress = Callable[[List[List[int]]], Iterable[List[int]]]
# PreTrainedModel and PreTrainedTokenizerFast; transformers has no types for them.
Encoder = Any
Tokenizer = Any


def encoder_table(
    teacher: str,
    *,
    words: Optional[Iterable[str]] = None,
    width: int = DEFAULT_WIDTH,
    gpu: int = -1,
    progress: Progress = iter,
) -> Tuple[Table, float]:
    """Create a table of a pre-trained encoder's vectors for single word pieces or words.

    The vector of an entry is the encoder's last hidden state for it between the special tokens,
    without context; that of a word is the mean over its pieces. All vectors are then reduced by
    PCA.

    teacher (str): Folder with a transformer and its fast tokenizer, or its name on the hub.
    words (Optional[Iterable[str]]): Words of the table. None: the teacher's word pieces.
    width (int): Dimensions of a row, at most the transformer's hidden size.
    gpu (int): GPU to run the transformer on, -1 for the CPU.
    progress (Progress): Called with the list of batches; must yield each of them, as `tqdm` does.
    RETURNS (Tuple[Table, float]): The table, with a standard deviation of 0.4, and the share of the
        vectors' variance that it explains.
    RAISES (OSError): D309 if the teacher can't be loaded. (ValueError): D310 or D311 if the
        tokenizer is of an unknown kind, D308 if `width` is more than the hidden size, D020 if there
        is no such GPU.
    """
    device = find_device(gpu)
    tokenizer = load_tokenizer(teacher)
    encoder = load_encoder(teacher)
    pieces = make_segmenter(tokenizer, teacher=teacher)
    if not 0 < width <= encoder.config.hidden_size:
        n_dims = encoder.config.hidden_size
        raise ValueError(Errors.D308.format(source=teacher, n_dims=n_dims, width=width))
    if words is None:
        segmenter = pieces
        sequences = [[row] for row in range(len(pieces.entries))]
    else:
        segmenter = make_word_segmenter(pieces, words)
        sequences = [pieces(entry)[:MAX_PIECES] for entry in segmenter.entries]
    # Pieces that were added to the tokenizer alone have no embedding.
    n_known = encoder.get_input_embeddings().num_embeddings
    sequences = [[row if row < n_known else pieces.unknown for row in part] for part in sequences]
    vectors = encode(
        encoder.to(device), sequences, specials=find_specials(tokenizer), progress=progress
    )
    rows, explained = reduce_rows(vectors, width=width, source=teacher)
    return Table(segmenter, rows), explained


def find_device(gpu: int) -> torch.device:
    """Return a GPU, or the CPU for -1, for PyTorch. RAISES (ValueError): D020 if there is none."""
    n_gpus = torch.cuda.device_count()
    if gpu == 0 and not n_gpus and torch.backends.mps.is_available():
        return torch.device("mps")  # Apple's GPU, which spaCy supports, too
    if gpu >= n_gpus:
        raise ValueError(Errors.D020.format(gpu=gpu, reason=f"PyTorch finds {n_gpus}"))
    return torch.device("cpu" if gpu < 0 else f"cuda:{gpu}")


def load_tokenizer(teacher: str, **options: Any) -> Tokenizer:
    """Load a teacher's tokenizer.

    options (Any): Options of `AutoTokenizer.from_pretrained`.
    RAISES (OSError): D309 if it can't be loaded. (ValueError): D311 if it is not a fast one.
    """
    tokenizer = load(partial(AutoTokenizer.from_pretrained, **options), teacher)
    if not tokenizer.is_fast:
        raise ValueError(Errors.D311.format(teacher=teacher, kind=type(tokenizer).__name__))
    return tokenizer


def load_encoder(teacher: str) -> Encoder:
    """Load a teacher's transformer, without a head. RAISES (OSError): D309 if that fails."""
    return load(AutoModel.from_pretrained, teacher).eval()


def load(from_pretrained: Callable[[str], Any], teacher: str) -> Any:
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # hide the warning about a missing pooler, which is not used
    try:
        return from_pretrained(teacher)
    except Exception as error:  # including those of tokenizers and safetensors
        # Some messages list every class of models.
        reason = shorten(str(error).strip().partition("\n")[0], 200, placeholder=" ...").rstrip(".")
        raise OSError(Errors.D309.format(teacher=teacher, reason=reason)) from error
    finally:
        logging.set_verbosity(verbosity)


def encode(
    encoder: Encoder,
    sequences: Sequence[List[int]],
    *,
    specials: Tuple[List[int], List[int]],
    progress: Progress = iter,
) -> numpy.ndarray:
    """Encode sequences of pieces, each on its own, and pool over its pieces.

    encoder (Encoder): The transformer.
    sequences (Sequence[List[int]]): Piece ids, at least one each.
    specials (Tuple[List[int], List[int]]): Ids of the special tokens before and after.
    progress (Progress): See `encoder_table`.
    RETURNS (numpy.ndarray): Mean of the last hidden states: float32 (n_sequences, hidden_size).
    """
    before, after = specials
    vectors = numpy.zeros((len(sequences), encoder.config.hidden_size), dtype="float32")
    batches = batch_equal_lengths(sequences, extra=len(before) + len(after))
    with torch.inference_mode():
        for chosen in progress(list(batches)):
            ids = torch.tensor([[*before, *sequences[i], *after] for i in chosen])
            ids = ids.to(encoder.device)  # (n_chosen, length), without padding
            hidden = encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            # (n_chosen, length, hidden_size) -> (n_chosen, hidden_size): mean over pieces
            pooled = hidden[:, len(before) : ids.shape[1] - len(after)].mean(dim=1)
            vectors[chosen] = pooled.float().cpu().numpy()
    return vectors


def batch_equal_lengths(sequences: Sequence[List[int]], *, extra: int) -> Iterator[List[int]]:
    """Yield indices of sequences of equal length, so that a batch needs no padding."""
    by_length: Dict[int, List[int]] = {}
    for i, sequence in enumerate(sequences):
        by_length.setdefault(len(sequence), []).append(i)
    for length, indices in sorted(by_length.items()):
        size = max(1, BATCH_TOKENS // (length + extra))
        for start in range(0, len(indices), size):
            yield indices[start : start + size]


def find_max_length(tokenizer: Tokenizer, model: Encoder) -> int:
    """Return the most pieces that a transformer accepts at a time, including special ones."""
    positions = getattr(model.config, "max_position_embeddings", DEFAULT_LENGTH)
    if positions < 1:  # XLNet has no limit
        positions = DEFAULT_LENGTH
    # RoBERTa and related models reserve the first positions for padding.
    kept = [
        module.padding_idx + 1
        for name, module in model.named_modules()
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
    ]
    return min(tokenizer.model_max_length, positions - max(kept, default=0))


def find_specials(tokenizer: Tokenizer) -> Tuple[List[int], List[int]]:
    """Return the ids of the special tokens that the tokenizer puts before and after a text."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    is_special = encoded["special_tokens_mask"]
    first = is_special.index(0)
    after = is_special.index(1, first) if 1 in is_special[first:] else len(is_special)
    return encoded["input_ids"][:first], encoded["input_ids"][after:]


def make_word_segmenter(pieces: Segmenter, words: Iterable[str]) -> Segmenter:
    """Create a segmenter of words, normalised as by the segmenter of the word pieces."""
    settings = {name: getattr(pieces, name) for name in NORMALISATION}
    return word_segmenter(map(pieces.normalise, words), **settings)


def make_segmenter(tokenizer: Tokenizer, *, teacher: str) -> Segmenter:
    """Create a segmenter with a tokenizer's vocabulary, normalisation and marks.

    tokenizer (Tokenizer): WordPiece as in BERT, byte-level BPE as in GPT-2 and RoBERTa, or
        SentencePiece (unigram or BPE with a mark for spaces).
    teacher (str): Name of the teacher, for the message.
    RETURNS (Segmenter): Row i belongs to the tokenizer's id i.
    RAISES (ValueError): D310 for another kind of tokenizer.
    """
    settings = json.loads(tokenizer.backend_tokenizer.to_str())
    model = settings["model"]
    splitters = {step["type"]: step for step in walk(settings["pre_tokenizer"])}
    normalizers = {step["type"]: step for step in walk(settings["normalizer"])}
    marks: Dict[str, Any]
    kind, suffix = model["type"], model.get("end_of_word_suffix")
    if kind == "WordPiece" and "BertPreTokenizer" in splitters:
        marks = {
            "continuing_mark": model["continuing_subword_prefix"],
            "max_chars": model["max_input_chars_per_word"],
        }
    elif kind == "BPE" and "ByteLevel" in splitters and not suffix:
        marks = {"initial_mark": BYTE_ALPHABET[ord(" ")], "byte_level": True}
        marks["strip_controls"] = False
    elif kind in ("BPE", "Unigram") and "Metaspace" in splitters and not suffix:
        marks = {"initial_mark": splitters["Metaspace"]["replacement"]}
    else:
        reason = f"{kind} after {sorted(splitters) or 'no splitting'} is not supported"
        raise ValueError(Errors.D310.format(teacher=teacher, reason=reason))
    unknown = tokenizer.unk_token_id
    return Segmenter(
        entries=list_entries(tokenizer.get_vocab()),
        kind="pieces",
        unknown=unknown if unknown is not None else tokenizer.pad_token_id or 0,
        **read_normalizers(normalizers),
        **marks,
    )


def read_normalizers(normalizers: Mapping[str, Dict[str, Any]]) -> Dict[str, Any]:
    """Convert a tokenizer's normalizers, by type, to settings of a segmenter."""
    bert = normalizers.get("BertNormalizer")
    if bert is None:
        return {
            "lowercase": "Lowercase" in normalizers,
            "strip_accents": "StripAccents" in normalizers,
            "accents": "M",
            "unicode_form": find_unicode_form(normalizers),
        }
    strip_accents = bert["strip_accents"]
    return {
        "lowercase": bert["lowercase"],
        "strip_accents": bert["lowercase"] if strip_accents is None else strip_accents,
        "strip_controls": bert["clean_text"],
        "split_chinese": bert["handle_chinese_chars"],
    }


def walk(step: Optional[Dict[str, Any]]) -> Iterator[Dict[str, Any]]:
    """Yield the steps of a tokenizer's setting, which may be nested sequences, or missing."""
    if step is None:
        return
    if step["type"] != "Sequence":
        yield step
    for part in [*step.get("normalizers", []), *step.get("pretokenizers", [])]:
        yield from walk(part)


def find_unicode_form(normalizers: Container[str]) -> UnicodeForm:
    """Return the normal form that the normalizers produce. A decomposing form takes precedence."""
    if "NFKD" in normalizers or "NFD" in normalizers:
        return "NFKD" if "NFKD" in normalizers or "Precompiled" in normalizers else "NFD"
    # "Precompiled" is SentencePiece's table, which is NFKC with small additions.
    if "Precompiled" in normalizers or "NFKC" in normalizers:
        return "NFKC"
    return "NFC" if "NFC" in normalizers else ""


def list_entries(vocab: Dict[str, int]) -> Tuple[str, ...]:
    """Return the entries by id. An id without a piece gets an empty entry."""
    entries = [""] * (max(vocab.values()) + 1)
    for piece, row in vocab.items():
        entries[row] = piece
    return tuple(entries)
