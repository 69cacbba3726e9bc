import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path
from secrets import token_hex
from types import SimpleNamespace

import pytest
from spacy.tokens import Doc

import spacy_distill
from spacy_distill.annotate.job import Job
from spacy_distill.annotate.run import annotate_source
from spacy_distill.manifest import Record

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install spacy-distill[ray]")
ray_cluster = pytest.importorskip("spacy_distill.annotate.ray_cluster")
Call, RayCluster, RESTARTS = ray_cluster.Call, ray_cluster.RayCluster, ray_cluster.RESTARTS

NODE = ["--num-cpus=1", "--node-ip-address=127.0.0.1", "--object-store-memory=80000000", "--block"]

# Annotates texts until both machines work and one is switched off, and then some more.
DRIVER = """
import sys
import time
from pathlib import Path

from spacy.tokens import Doc
from spacy_distill.annotate.job import Job
from spacy_distill.annotate.ray_cluster import RayCluster
from spacy_distill.annotate.run import annotate_source

address, teacher, *texts = sys.argv[1:]
engine = RayCluster(address, n_workers=2)


def read(source, *, nlp, **settings):
    n_docs, n_left = 0, 100
    until = time.time() + 300
    while n_left:
        if sum(call.shard is not None for call in engine.calls.values()) == 2:
            Path("both").touch()
        n_left -= Path("killed").exists()
        assert time.time() < until
        yield Doc(nlp.vocab, words=texts[n_docs % len(texts)].split())
        n_docs += 1


job = Job([teacher], shard_size=20)
summary = annotate_source(job, ["text"], Path("out"), engine=engine, read=read)
print(summary.docs, sum(engine.losses.values()))
"""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def with_source():
    source = str(Path(spacy_distill.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": source, "RAY_USAGE_STATS_ENABLED": "0"}


def start_node(*args):
    """Start a node in its own session."""
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", *args, *NODE]
    return subprocess.Popen(
        command, env=with_source(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def kill_node(node):
    """Kill all processes of a node at once, as if the machine were switched off."""
    pids = [node.pid]
    for pid in pids:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        pids += map(int, children.read_text().split()) if children.exists() else []
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.wait()


@pytest.fixture
def cluster(monkeypatch):
    """Two machines with one CPU each: the address, and the process of the second."""
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        # It is not accessible from the network.
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        monkeypatch.setenv("RAY_AUTH_TOKEN", token_hex(32))
        address = f"127.0.0.1:{free_port()}"
        port = address.rpartition(":")[2]
        head = start_node(
            "--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false"
        )
        nodes = [head]
        try:
            until = time.time() + 120
            while subprocess.run(
                [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address],
                capture_output=True,
            ).returncode:
                assert time.time() < until and head.poll() is None, "no cluster"
            nodes.append(start_node(f"--address={address}"))
            yield address, nodes[1]
        finally:
            for node in nodes:
                kill_node(node)


@pytest.mark.slow
def test_ray_cluster_finishes_all_shards_after_losing_a_machine(
    cluster, student_path, texts, tmp_path, digests
):
    address, machine = cluster
    script = tmp_path / "driver.py"
    script.write_text(DRIVER, encoding="utf-8")
    # In its own process, because Ray reads its environment when it is imported.
    command = [sys.executable, str(script), address, str(student_path), *texts]
    driver = subprocess.Popen(command, cwd=tmp_path, env=with_source(), stdout=subprocess.PIPE)
    try:
        while not (tmp_path / "both").exists():
            assert driver.poll() is None
            time.sleep(0.1)
        kill_node(machine)
        (tmp_path / "killed").touch()
        output, _ = driver.communicate(timeout=300)
    finally:
        driver.kill()
    assert driver.returncode == 0
    n_docs, n_losses = map(int, output.splitlines()[-1].split())
    assert n_losses == 1

    def read(source, *, nlp, **settings):
        for i in range(n_docs):
            yield Doc(nlp.vocab, words=texts[i % len(texts)].split())

    annotate_source(Job([str(student_path)], shard_size=20), ["text"], tmp_path / "here", read=read)
    assert digests(tmp_path / "out") == digests(tmp_path / "here")


def test_ray_cluster_refuses_an_address_without_a_cluster(student_path, tmp_path):
    engine = RayCluster(f"127.0.0.1:{free_port()}")
    with pytest.raises(OSError, match=r"\[D911\]"):
        engine.start(Job([str(student_path)]), tmp_path)


def test_ray_cluster_reports_why_ray_cannot_start(monkeypatch, student_path, tmp_path):
    def fail(*args, **kwargs):
        raise RuntimeError("no room")

    monkeypatch.setattr("ray.init", fail)
    with pytest.raises(OSError, match=r"\[D918\].*no room.*--engine ray"):
        RayCluster().start(Job([str(student_path)]), tmp_path)


class Actor:
    """A worker that does nothing. The test determines the results of its calls."""

    class start:
        remote = object


@pytest.fixture
def lone(monkeypatch, tmp_path):
    """A cluster of one worker, and the results of its calls in their order."""
    answers = []

    def get(call):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(ray, "wait", lambda calls, num_returns: (calls[:1], calls[1:]))
    monkeypatch.setattr(ray, "get", get)
    cluster = RayCluster()
    cluster.output, cluster.waiting, cluster.make_actor = tmp_path, deque(), Actor
    cluster.add_actor()
    return cluster, answers


def test_ray_cluster_gives_up_if_its_last_worker_dies(lone):
    cluster, answers = lone
    answers.append(ray.exceptions.RayActorError(error_msg="no memory"))
    with pytest.raises(OSError, match=r"\[D912\].*no memory"):
        cluster.receive()


def test_ray_cluster_gives_up_on_a_shard_that_kills_its_workers(lone):
    """Another worker gets the shard, until it has killed the maximum number of workers."""
    cluster, answers = lone
    shard = SimpleNamespace(index=7)
    cluster.calls.clear()
    (actor,) = cluster.actors
    for _ in range(RESTARTS):
        cluster.calls = {object(): Call(actor, shard)}
        answers.append(ray.exceptions.RayActorError(error_msg="out of memory"))
        assert cluster.receive() is None
        assert cluster.waiting.popleft() is shard
    cluster.calls = {object(): Call(actor, shard)}
    answers.append(ray.exceptions.RayActorError(error_msg="out of memory"))
    with pytest.raises(OSError, match=r"\[D912\].*out of memory"):
        cluster.receive()


def test_ray_cluster_needs_a_shared_output_folder(lone, tmp_path):
    cluster, answers = lone
    sizes = {"size": 1, "sha256": "", "source": "", "docs": 1, "words": 1}
    answers.append(Record("00000.spacy", **sizes, entities={}, confidence=0.0, confidences=[]))
    with pytest.raises(OSError, match=r"\[D913\].*00000\.spacy"):
        cluster.receive()


def test_ray_cluster_without_a_gpu(student_path, tmp_path, monkeypatch):
    """Ray itself would wait for a GPU forever."""
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 2.0})
    with pytest.raises(ValueError, match=r"\[D020\] There is no GPU 0 \(Ray finds none"):
        RayCluster().start(Job([str(student_path)], gpu=0), tmp_path)
