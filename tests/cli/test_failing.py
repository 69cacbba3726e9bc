import os
import signal
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO, TextIOWrapper

import pytest
import typer

from spacy_distill import cli
from spacy_distill.cli.failing import as_command, end_on_signals, fail_in_one_line, warn_in_one_line


def test_failing_keeps_the_lines_of_an_error(capsys):
    with pytest.raises(SystemExit), fail_in_one_line():
        raise ValueError("[D602] Stage 'pack' ended:\n  one\n    two\nFix it.")
    lines = capsys.readouterr().out.splitlines()
    assert "[D602] Stage 'pack' ended:" in lines[0]
    assert lines[1:] == ["  one", "    two", "Fix it."]


def test_failing_explains_errors_of_the_system(tmp_path, capsys):
    path = tmp_path / "gone.json"
    with pytest.raises(SystemExit), fail_in_one_line():
        path.read_bytes()
    out = capsys.readouterr().out.replace("\n", " ")
    assert f"[D919] Can't use '{path}': No such file or directory. Check" in out
    assert "Errno" not in out


def test_failing_shows_warnings_with_a_code_as_messages(capsys):
    show = warnings.showwarning
    with pytest.warns(FutureWarning, match="of a library"), warn_in_one_line():
        warnings.warn("[W003] The components ['dates'] declare nothing.", stacklevel=1)
        warnings.warn("of a library", FutureWarning, stacklevel=1)
    out, _ = capsys.readouterr()
    assert "⚠ [W003] The components ['dates'] declare nothing." in out
    assert "Warning" not in out
    assert warnings.showwarning is show


def interrupt():
    raise KeyboardInterrupt


def test_failing_explains_how_to_resume_after_an_interruption(monkeypatch, capsys):
    app = typer.Typer()
    app.command()(interrupt)
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(sys, "argv", ["spacy-distill"])
    with pytest.raises(SystemExit) as error:
        cli.main()
    assert error.value.code == 130
    assert "Run the same command again to resume" in capsys.readouterr().out


def test_failing_explains_how_to_resume_within_a_command_of_spacy(capsys):
    """There, the interrupt has not reached typer yet."""
    with pytest.raises(KeyboardInterrupt), as_command():
        interrupt()
    assert "Run the same command again to resume" in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_failing_runs_finally_blocks_on_signals(name):
    number = getattr(signal, name)
    signals = (signal.SIGTERM, signal.SIGHUP)
    before = {one: signal.signal(one, signal.SIG_DFL) for one in signals}
    try:
        ended = []
        with pytest.raises(SystemExit) as error, end_on_signals():
            try:
                os.kill(os.getpid(), number)
                signal.pause()
            finally:
                ended.append(True)
        assert error.value.code == 128 + number and ended
        assert signal.getsignal(number) == signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN)  # as nohup does
        with end_on_signals():
            assert signal.getsignal(number) == signal.SIG_IGN
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def test_failing_handles_no_signals_in_other_threads():
    with ThreadPoolExecutor() as pool:
        assert pool.submit(as_command()(lambda: "done")).result() == "done"


def test_failing_does_not_depend_on_the_encoding(monkeypatch):
    """A character that the encoding of the output lacks, such as an arrow, is replaced."""
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding="cp1252"))
    monkeypatch.setattr(cli, "app", lambda: print("60.4 → 66.2", flush=True))
    cli.main()
    assert written.getvalue().strip() == b"60.4 ? 66.2"
