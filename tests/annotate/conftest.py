import hashlib

import pytest


@pytest.fixture
def digests():
    """The digest of each file in a folder, by name."""

    def read(folder):
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
        }

    return read
