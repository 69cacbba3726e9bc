import ast
import os
import time

import pytest
import srsly

from spacy_distill.files import hold
from spacy_distill.sweep.execute import clear_outdated, discard, find_outdated, run_stage
from spacy_distill.sweep.stages import Stage, is_done
from spacy_distill.threads import VARIABLES


@pytest.fixture
def make_stage(tmp_path):
    """A stage that packs a file into an archive."""
    (tmp_path / "text.txt").write_text("text")

    def make(command=None, *, seconds=5.0, **more):
        archive = tmp_path / "made" / "model-best" / "archive.zip"
        archive.parent.mkdir(parents=True, exist_ok=True)
        command = command or ["zipfile", "-c", str(archive), str(tmp_path / "text.txt")]
        made = tmp_path / "other.json"
        return Stage(
            "pack", tmp_path, command, products=[archive], removes=[made], seconds=seconds, **more
        )

    return make


def ignore(seconds):
    pass


def test_execute_gives_a_stage_one_thread(make_stage, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    stage = make_stage(["timeit", "-n1", "-r1", "import os; print(dict(os.environ))"])
    stage.products[0].write_bytes(b"")
    run_stage(stage, tick=ignore)
    environment = ast.literal_eval(stage.log.read_text(encoding="utf-8").splitlines()[0])
    assert {environment[name] for name in VARIABLES} == {"1"}


def test_execute_writes_a_receipt(make_stage):
    stage = make_stage(inputs={"weights": "w"})
    stage.removes[0].write_text("made from an earlier one")
    run_stage(stage, tick=ignore)
    assert is_done(stage)
    receipt = srsly.read_json(stage.receipt)
    assert receipt["command"] == stage.command
    assert receipt["inputs"] == {"weights": "w"}
    assert 0 <= receipt["seconds"] < 60
    assert not stage.removes[0].exists()


def test_execute_discards_the_receipt_first(make_stage, monkeypatch):
    """Otherwise, what an interruption leaves of the products would count as finished."""
    stage = make_stage()
    run_stage(stage, tick=ignore)
    stage = stage._replace(removes=[stage.products[0].parent])

    def stop(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", stop)
    with pytest.raises(KeyboardInterrupt):
        discard(stage)
    assert not is_done(stage)


@pytest.mark.parametrize(
    "command, code, line",
    [
        (["no_such_module"], 1, "No module named no_such_module"),
        (["timeit", "-n1", "-r1"], 0, "1 loop"),  # success, but no product
        # Its output is read as UTF-8, whatever the system's encoding.
        (["timeit", "-n1", "-r1", "import sys; print(sys.flags.utf8_mode, 'ö')"], 0, "1 ö"),
    ],
)
def test_execute_names_the_log_of_a_failed_stage(make_stage, monkeypatch, command, code, line):
    monkeypatch.setenv("PYTHONUTF8", "0")
    stage = make_stage(command)
    with pytest.raises(ValueError, match=rf"\[D602\] Stage 'pack' ended with code {code}") as error:
        run_stage(stage, tick=ignore)
    assert str(stage.log) in str(error.value)
    assert line in str(error.value)
    assert line in stage.log.read_text(encoding="utf-8")
    assert not stage.receipt.exists()


def test_execute_ends_a_stage_on_an_interruption(make_stage, monkeypatch):
    monkeypatch.setattr("spacy_distill.sweep.execute.SECONDS_BETWEEN_TICKS", 0.05)

    def stop(seconds):
        raise KeyboardInterrupt

    start = time.time()
    with pytest.raises(KeyboardInterrupt):
        run_stage(make_stage(["timeit", "-n1", "import time; time.sleep(60)"]), tick=stop)
    assert time.time() - start < 30


def test_execute_locks_the_folder_as_long_as_the_stage_runs(make_stage, monkeypatch, tmp_path):
    """A stage continues after its sweep is killed, so the folder must stay locked."""
    monkeypatch.setattr("spacy_distill.sweep.execute.SECONDS_BETWEEN_TICKS", 0.05)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl = pytest.importorskip("fcntl")
    fcntl.flock(handle, fcntl.LOCK_EX)

    def die(seconds):
        os.close(handle)  # as the system does if the process is killed
        with pytest.raises(OSError, match="D914"), hold(tmp_path):
            pass
        raise KeyboardInterrupt

    stage = make_stage(["timeit", "-n1", "import time; time.sleep(60)"])
    with pytest.raises(KeyboardInterrupt):
        run_stage(stage, tick=die, handle=handle)
    with hold(tmp_path):
        pass


def test_execute_runs_an_interrupted_stage_again(make_stage):
    """An interrupted training still writes its last weights."""
    stage = make_stage()

    def interrupt(seconds):
        stage.products[0].write_text("half a model")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage(stage, tick=interrupt)
    assert stage.products[0].exists()
    assert not is_done(stage)
    run_stage(stage, tick=ignore)
    assert is_done(stage)


def test_execute_refuses_products_of_other_inputs(make_stage):
    stage = make_stage(inputs={"weights": "w", "corpus": None})
    run_stage(stage, tick=ignore)
    clear_outdated([stage], overwrite=False)
    other = make_stage(inputs={"weights": "v", "corpus": None})
    assert find_outdated(other) == ["weights"]
    with pytest.raises(ValueError, match=r"\[D607\] '.*other.json' was made .* \(weights\)"):
        clear_outdated([stage, other], overwrite=False)
    assert is_done(other)
    stage.removes[0].write_text("made from it")
    clear_outdated([other], overwrite=True)
    assert not stage.removes[0].exists() and not stage.receipt.exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_execute_removes_what_nothing_reads(make_stage, tmp_path, is_there):
    stage = make_stage()._replace(leftover=tmp_path / "model-last")
    if is_there:
        (tmp_path / "model-last").mkdir()
    run_stage(stage, tick=ignore)
    assert is_done(stage) and not (tmp_path / "model-last").exists()
