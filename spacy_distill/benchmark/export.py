"""Export of a teacher for other systems: its tokenizer, and its transformer and head as ONNX."""

import warnings
from pathlib import Path
from typing import Any, Dict, Optional

import numpy
import torch
from spacy.language import Language
from thinc.api import Model

from ..encoder import find_max_length
from ..loading import load_pipeline
from ..parameters import find_nodes

OPSET = 17


class TaggingTransformer(torch.nn.Module):
    """A teacher's transformer and its linear layer, which output the scores of each piece."""

    def __init__(self, transformer: torch.nn.Module, head: Model) -> None:
        super().__init__()
        W, b = (torch.from_numpy(numpy.array(head.get_param(name))) for name in ("W", "b"))
        self.transformer = transformer
        self.head = torch.nn.Linear(W.shape[1], W.shape[0])
        self.head.load_state_dict({"weight": W, "bias": b})

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        found = self.transformer(input_ids=input_ids, attention_mask=attention_mask)
        return self.head(found[0])


def export_teacher(*, teacher: str, output: str, as_onnx: bool) -> Dict[str, Any]:
    """Write a teacher's tokenizer and, if asked for, its model as ONNX in float32 and int8.

    teacher (str): The pipeline's folder or package.
    output (str): Folder to write tokenizer.json, fp32.onnx and int8.onnx to.
    as_onnx (bool): Whether to write the models. This needs the packages `onnx` and `onnxruntime`.
    RETURNS (Dict[str, Any]): `settings`: arguments of `load_bert`, as `tokenizer`, and, if asked
        for, of `load_onnx`, as `onnx`. `reasons`: why there can be none of these.
    """
    nlp = load_pipeline(teacher)
    found = find_transformer(nlp)
    if found is None:
        reason = "no component of the teacher holds a transformer of spacy-transformers"
        return {"settings": {}, "reasons": {"tokenizer": reason, "onnx": reason}}
    tokenizer, transformer = found.tokenizer, found.transformer
    if not tokenizer.is_fast:
        reason = f"the teacher's {type(tokenizer).__name__} is not a fast tokenizer"
        return {"settings": {}, "reasons": {"tokenizer": reason, "onnx": reason}}
    path = Path(output) / "tokenizer.json"
    tokenizer.backend_tokenizer.save(str(path))
    pieces = {
        "tokenizer": str(path),
        "max_pieces": min(find_max_length(tokenizer, transformer), 512),
        "padding": tokenizer.pad_token_id or 0,
    }
    settings = {"tokenizer": {**pieces, "n_pieces": len(tokenizer)}}
    head = find_head(nlp)
    if head is None:
        reason = "no component of the teacher has a linear output layer"
        return {"settings": settings, "reasons": {"onnx": reason}}
    if as_onnx:
        n_parameters = write_onnx(transformer, head, Path(output))
        settings["onnx"] = {**pieces, "folder": output, "n_parameters": n_parameters}
    return {"settings": settings, "reasons": {}}


def find_transformer(nlp: Language) -> Optional[Any]:
    """Return the HFObjects of spacy-transformers (`tokenizer`, `transformer`); None if there are
    none."""
    shims = [shim for node in find_nodes(nlp) for shim in node.shims]
    found = [shim._hfmodel for shim in shims if hasattr(shim, "_hfmodel")]
    return found[0] if found else None


def find_head(nlp: Language) -> Optional[Model]:
    """Return the layer that computes a teacher's tag scores; None if there is none."""
    heads = [
        node.get_ref("output_layer")
        for node in find_nodes(nlp)
        if node.name == "linear_tagger" and node.has_ref("output_layer")
    ]
    return heads[0] if heads else None


def write_onnx(transformer: torch.nn.Module, head: Model, folder: Path) -> int:
    """Write a teacher as ONNX in float32, and the same model quantised to int8.

    Weights are quantised per column, activations dynamically.

    RETURNS (int): The number of parameters.
    """
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    full, small = folder / "fp32.onnx", folder / "int8.onnx"
    ids = torch.ones(2, 8, dtype=torch.long)
    names = ["input_ids", "attention_mask"]
    with warnings.catch_warnings():
        # Torch warns that this exporter, which needs no further package, is legacy. Tracing warns,
        # too.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            TaggingTransformer(transformer, head).eval(),
            (ids, torch.ones_like(ids)),
            str(full),
            input_names=names,
            output_names=["scores"],
            dynamic_axes={name: {0: "n_texts", 1: "n_pieces"} for name in names},
            opset_version=OPSET,
            dynamo=False,
        )
    quantize_dynamic(full, small, per_channel=True, weight_type=QuantType.QInt8)
    weights = onnx.load(str(full)).graph.initializer
    return sum(int(numpy.prod(array.dims)) for array in weights)
