import os
import subprocess
import sys

import pytest

# Prints what is set when the import of spaCy, and with it of torch, begins.
LOAD = """
import os
import sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "thinc":
            print(os.environ["OMP_WAIT_POLICY"])

sys.meta_path.insert(0, Watch())
import spacy_distill.cli
"""


@pytest.mark.parametrize(("given", "expected"), [(None, "passive"), ("active", "active")])
def test_waiting_policy_is_set_before_torch_is_imported_unless_the_user_sets_it(given, expected):
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    if given:
        environment["OMP_WAIT_POLICY"] = given
    command = [sys.executable, "-c", LOAD]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.split() == [expected]
