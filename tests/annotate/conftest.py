import hashlib

import pytest


@pytest.fixture
def digests():
    """What a folder holds: the digest of each file, by name."""

    def read(folder):
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()
        }

    return read
