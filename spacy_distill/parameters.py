"""The layers and parameters of pipelines."""

from typing import Any, List, Sequence

from spacy.language import Language
from thinc.api import Model


def find_nodes(nlp: Language) -> List[Model]:
    """Return every layer of every component."""
    models = [getattr(pipe, "model", None) for _, pipe in nlp.pipeline]
    return [node for model in models if isinstance(model, Model) for node in model.walk()]


def listens(model: Model) -> bool:
    """Return whether any layer gets its vectors from another component, as spaCy's listeners do."""
    return any(hasattr(node, "upstream_name") for node in model.walk())


def count_parameters(nodes: Sequence[Model]) -> int:
    """Count the trained parameters of layers, including those in PyTorch modules."""
    own = sum(
        node.get_param(name).size
        for node in nodes
        for name in node.param_names
        if node.has_param(name)  # None: it has a name, but no value yet
    )
    modules: List[Any] = [getattr(shim, "_model", None) for node in nodes for shim in node.shims]
    wrapped = [module for module in modules if hasattr(module, "parameters")]
    return int(own) + sum(weights.numel() for module in wrapped for weights in module.parameters())
