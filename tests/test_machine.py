import numpy

from spacy_distill.machine import find_versions


def test_machine_names_the_version_that_is_imported(tmp_path, monkeypatch):
    """The version is not that of another installation later on the path."""
    for place, version in (("first", "2.0"), ("second", "1.0")):
        info = tmp_path / place / f"shadowed-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: shadowed\nVersion: {version}")
    for place in ("second", "first"):
        monkeypatch.syspath_prepend(str(tmp_path / place))
    found = find_versions(["numpy", "shadowed", "not-installed"])
    assert found == {"numpy": numpy.__version__, "shadowed": "2.0"}
