"""A teacher that was exported to ONNX, in onnxruntime."""

from functools import partial
from pathlib import Path

import numpy
import onnxruntime

from .loaded import Loaded
from .pieces import count_cut, load_tokenizer, make_run


def load_onnx(
    *,
    folder: str,
    file: str,
    tokenizer: str,
    n_parameters: int,
    threads: int,
    max_pieces: int,
    padding: int,
) -> Loaded:
    """Load a model that `export_teacher` wrote.

    folder (str): The folder that it was written to.
    file (str): The name of its .onnx file.
    tokenizer (str): Path of a tokenizer.json.
    n_parameters (int): Number of parameters of the model.
    threads (int): Number of threads to compute with.
    max_pieces (int): Texts are truncated to this number of pieces.
    padding (int): Id of the padding piece.
    RETURNS (Loaded): Runs a plain forward pass, and counts tags.
    """
    path = Path(folder) / file
    pieces = load_tokenizer(tokenizer, max_pieces=max_pieces)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def forward(ids: numpy.ndarray, mask: numpy.ndarray) -> numpy.ndarray:
        return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    return Loaded(
        make_run(pieces, forward, padding=padding),
        n_parameters=n_parameters,
        n_bytes=path.stat().st_size,
        count_cut=partial(count_cut, pieces),
    )
