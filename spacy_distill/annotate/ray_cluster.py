"""Engine that annotates shards on a Ray cluster. The only module that needs Ray."""

import logging
import os
import socket
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path
from typing import Any, Deque, Dict, Iterator, List, NamedTuple, Optional, Union

import ray
from ray.exceptions import NodeDiedError, ObjectLostError, RayActorError, RayError
from wasabi import msg

from ..errors import Errors
from ..manifest import Record
from .engines import Failure
from .job import Job
from .shards import Advance, Annotator, InputShard, Ready

# How often a lost worker is restarted, and how often a shard is given to another worker.
RESTARTS = 3
# Seconds that a cluster has to accept a connection.
CONNECT_TIMEOUT = 10
LOST = (RayActorError, NodeDiedError, ObjectLostError)


class RayWorker:
    """An actor. It loads its own teacher, because models can't work on Ray's shared arrays."""

    def __init__(self, job: Job, output: Path) -> None:
        self.job = job
        self.output = output
        self.annotator: Optional[Annotator] = None

    @ray.method(max_task_retries=-1)  # waits until the actor is restarted
    def start(self) -> Union[Ready, Failure]:
        """Load the teacher. RETURNS (Union[Ready, Failure]): Its tags, and what to warn of."""
        try:
            self.annotator = self.annotator or Annotator(self.job, self.output)
            return self.annotator.ready
        except Exception as error:
            return Failure.of(error)

    def annotate(self, shard: InputShard) -> Union[Record, Failure]:
        assert self.annotator is not None, "start comes first"
        try:
            return self.annotator.annotate(shard)
        except Exception as error:
            return Failure.of(error)


class Call(NamedTuple):
    """A pending call of an actor: to annotate a shard or, without one, to start."""

    actor: Any
    shard: Optional[InputShard]


class RayCluster:
    """Engine on a Ray cluster. Each worker has one CPU, and one GPU if the job uses one.

    All machines must have access to OUTPUT and to teachers that are folders, under the same paths,
    and have the package installed.

    address (str): Address of a running cluster. If empty, that of RAY_ADDRESS is used, or else a
        cluster is started on this machine.
    n_workers (int): Number of workers; 0: one for each CPU or GPU of the cluster.
    """

    def __init__(self, address: str = "", *, n_workers: int = 0) -> None:
        self.address = address or os.environ.get("RAY_ADDRESS", "")
        self.n_workers = n_workers
        self.is_ours = False  # whether the connection (and a cluster without address) was made here
        self.actors: List[Any] = []
        self.calls: Dict[Any, Call] = {}
        self.losses: Counter = Counter()

    def start(self, job: Job, output: Path) -> Ready:
        """See `Engine`.

        RAISES (OSError): D911 if there is no cluster at the address, D918 if none can be started on
            this machine, D912 if all workers are lost. (ValueError): D020 if this machine has no
            GPU for a job that uses one.
        """
        if not ray.is_initialized():
            self.connect()
        has_gpu = job.gpu >= 0
        self.output = output.resolve()
        teachers = [str(Path(t).resolve()) if Path(t).exists() else t for t in job.teachers]
        # A worker sees only its own GPU, with the number 0.
        job = replace(job, teachers=teachers, gpu=0 if has_gpu else -1)
        n_slots = int(ray.cluster_resources().get("GPU" if has_gpu else "CPU", 0))
        if has_gpu and not n_slots:
            if not self.address:
                raise ValueError(Errors.D020.format(gpu=0, reason="Ray finds none on this machine"))
            msg.warn("The Ray cluster has no GPU: waiting for one. Press Ctrl-C to stop")
        self.n_workers = self.n_workers or max(n_slots, 1)
        options = {"num_cpus": 1, "num_gpus": int(has_gpu), "max_restarts": RESTARTS}
        self.make_actor = lambda: ray.remote(RayWorker).options(**options).remote(job, self.output)
        self.add_actor()
        answer = None
        while answer is None:  # Ray restarts a lost worker
            answer = self.receive()
        return answer[1]

    def connect(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own: Dict[str, Any] = {} if self.address else {"include_dashboard": False}
        try:
            check_address(self.address)
            address = self.address or "local"
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **own)
        except (OSError, ValueError, RuntimeError) as error:
            if not self.address:
                raise OSError(Errors.D918.format(reason=error)) from error
            raise OSError(Errors.D911.format(address=self.address, reason=error)) from error
        self.is_ours = True

    def run(self, shards: Iterator[InputShard], *, advance: Advance) -> Iterator[Record]:
        """See `Engine`.

        RAISES (OSError): D912 if all workers are lost, or a shard was lost too often; D913 if the
            file of a finished shard is not in OUTPUT.
        """
        self.waiting: Deque[InputShard] = deque()
        left: Optional[Iterator[InputShard]] = shards
        idle = list(self.actors)
        while True:
            if self.waiting and idle:
                actor, shard = idle.pop(), self.waiting.popleft()
                self.calls[actor.annotate.remote(shard)] = Call(actor, shard)
            elif left is not None and len(self.waiting) < self.n_workers:
                # Read on while the workers work.
                if (read := next(left, None)) is None:
                    left = None
                    continue
                self.waiting.append(read)
                if len(self.actors) < self.n_workers:
                    self.add_actor()
            elif self.waiting or any(call.shard for call in self.calls.values()):
                if (answer := self.receive()) is None:
                    continue
                actor, found = answer
                idle.append(actor)
                if isinstance(found, Record):
                    advance(found.docs, found.words)
                    yield found
            else:
                return

    def add_actor(self) -> None:
        actor = self.make_actor()
        self.actors.append(actor)
        self.calls[actor.start.remote()] = Call(actor, None)

    def receive(self) -> Any:
        """Wait for the next call to finish. Return its actor and its result; None if it was lost.

        RAISES (OSError): D912 if the cluster fails, D913 if the shard's file is not in OUTPUT. The
            error of a worker is raised again.
        """
        (done,), _ = ray.wait(list(self.calls), num_returns=1)
        actor, shard = self.calls.pop(done)
        try:
            found = ray.get(done)
        except LOST as error:
            self.lose(actor, shard, error)
            return None
        except RayError as error:
            raise OSError(Errors.D912.format(reason=error)) from error
        if isinstance(found, Failure):
            raise found.to_error()
        if isinstance(found, Record) and not (self.output / found.name).exists():
            raise OSError(Errors.D913.format(path=self.output / found.name))
        return actor, found

    def lose(self, actor: Any, shard: Optional[InputShard], error: Exception) -> None:
        """Put the shard of a lost worker back in the queue, and wait until Ray has restarted it.

        RAISES (OSError): D912 if all workers are lost, or the shard was lost too often.
        """
        if shard is None:  # the worker could not be restarted
            self.actors.remove(actor)
        else:
            self.losses[shard.index] += 1
            self.waiting.appendleft(shard)
            self.calls[actor.start.remote()] = Call(actor, None)
        if not self.actors or max(self.losses.values(), default=0) > RESTARTS:
            raise OSError(Errors.D912.format(reason=error)) from error

    def stop(self) -> None:
        if self.is_ours:
            ray.shutdown()  # this also ends the actors
        else:
            for actor in self.actors:
                ray.kill(actor)
        self.is_ours = False
        self.actors.clear()
        self.calls.clear()


def check_address(address: str) -> None:
    """Refuse an address that accepts no connections, because Ray would try for many minutes.

    RAISES (OSError): The error of the connection.
    """
    host, _, port = address.rpartition(":")
    if port.isdecimal():
        place = (host.rpartition("/")[2], int(port))
        socket.create_connection(place, timeout=CONNECT_TIMEOUT).close()
