import pytest
from spacy.util import load_config

CODE = """from spacy.language import Language


@Language.component("{name}")
def component(doc):
    return doc
"""


@pytest.fixture
def add_component(tmp_path):
    """Add a component to a saved pipeline, and return the file of code that registers it."""

    def add(pipeline, name):
        config = load_config(pipeline / "config.cfg")
        config["nlp"]["pipeline"] = [*config["nlp"]["pipeline"], name]
        config["components"][name] = {"factory": name}
        config.to_disk(pipeline / "config.cfg")
        code = tmp_path / f"code_{name}.py"
        code.write_text(CODE.format(name=name), encoding="utf-8")
        return code

    return add
