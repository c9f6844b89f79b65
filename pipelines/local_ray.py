"""A Ray to run on: one that is started for the run and stopped after it, or a cluster that is there."""

import contextlib
import logging
import os
import shutil
import socket
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import ray
import ray.exceptions
from ray.autoscaler.sdk import request_resources

from pipelines.config import TASK_CPUS, ActorPool, ConfigError
from pipelines.placement import Node, misfit

WORKER_ENVIRONMENT = {"TOKENIZERS_PARALLELISM": "false"}
"""Ray is what runs things in parallel; threads of the tokenizer would fight the model's for the CPUs."""

Item = TypeVar("Item")

CONNECT_SECONDS = 10
LOOK_AGAIN_SECONDS = 1

OBJECT_STORE_BYTES = 1 << 30
SMALLEST_OBJECT_STORE_BYTES = 80 << 20


@contextlib.contextmanager
def ray_session(address: str | None) -> Iterator[None]:
    """Connects to the Ray cluster at `address`, or without one starts a Ray on this machine; leaves it after.

    The local Ray has one CPU more than the machine: the model keeps every core busy, and the light tasks around it
    (reading, tokenizing, writing) take their turns between its threads.

    Raises:
        ConfigError: No cluster answers at `address`.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if address is None:
        os.environ.update(WORKER_ENVIRONMENT)  # inherited; with a runtime_env, Ray starts Python twice for each worker
        ray.init(
            address="local",
            num_cpus=local_cpus() + 1,
            object_store_memory=_object_store_bytes(),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    else:
        _refuse_dead_address(address)
        try:
            ray.init(
                address=address,
                runtime_env={"env_vars": WORKER_ENVIRONMENT},
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (ConnectionError, ValueError) as error:
            raise ConfigError(f"--address {address}: no Ray cluster answers there ({error})") from None
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # what stops a run reaches us as an exception as well
    warnings.filterwarnings("ignore", module=r"ray\.data\.")  # such as that a small corpus leaves an actor idle
    try:
        yield
    finally:
        ray.shutdown()


def run_tasks(function: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Runs a function on each item, as tasks of the Ray that is connected.

    Raises:
        Exception: What the function raised.
    """
    task: Any = ray.remote(num_cpus=TASK_CPUS)(_call)
    try:
        ray.get([task.remote(function, item) for item in items])
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # without Ray's traceback, which is part of its message


def _call(function: Callable[[Item], None], item: Item) -> None:
    function(item)


def _refuse_dead_address(address: str) -> None:
    """Knocks at `host:port` first: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        try:
            socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
        except (OSError, OverflowError) as error:
            raise ConfigError(f"--address {address}: no Ray cluster answers there ({error}); is it running?") from None


def wait_for_nodes(pool: ActorPool, *, seconds: float) -> list[Node]:
    """The nodes of the Ray that runs, as soon as the smallest size of `pool` fits them.

    A cluster that grows when it is asked to is asked, once; the wait is announced on stderr, once.

    Raises:
        ConfigError: It does not fit within `seconds`; the message has the arithmetic.
    """
    deadline = time.monotonic() + seconds
    waits = False
    try:
        while reason := misfit(pool, nodes := _nodes()):
            if time.monotonic() >= deadline:
                raise ConfigError(f"{reason} (waited {seconds:g} s)" if waits else reason)
            if not waits:
                waits = True
                sys.stderr.write(f"cytotag: waits up to {seconds:g} s for nodes: {reason}\n")
                actor = {"CPU": pool.threads} | ({"GPU": pool.gpus} if pool.gpus else {})
                request_resources(
                    bundles=[actor] * pool.min_size + [{"CPU": TASK_CPUS}],
                    bundle_label_selectors=[dict(pool.labels)] * pool.min_size + [{}],
                )
            time.sleep(LOOK_AGAIN_SECONDS)
        return nodes
    finally:
        if waits:
            request_resources(bundles=[])  # it would keep the nodes after the run; from here on Ray Data asks


def _nodes() -> list[Node]:
    return [
        Node(cpus=node["Resources"].get("CPU", 0), gpus=node["Resources"].get("GPU", 0), labels=node["Labels"])
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    ]


@contextlib.contextmanager
def native_messages_to(log: Path) -> Iterator[None]:
    """Keeps what Ray's C++ code says on stderr, mostly of Ray itself, out of the user's sight and in a file.

    What Python writes to stderr still goes where it went.
    """
    ours, terminal = sys.stderr, os.dup(2)
    with log.open("ab") as file, os.fdopen(os.dup(2), "w", encoding="utf-8", buffering=1) as stderr:
        sys.stderr.flush()
        os.dup2(file.fileno(), 2)
        sys.stderr = stderr
        try:
            yield
        finally:
            sys.stderr = ours
            os.dup2(terminal, 2)
            os.close(terminal)


def local_cpus() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _object_store_bytes() -> int:
    """Blocks are small, so 1 GiB is plenty; less where shared memory is scarce, as it is in many containers."""
    try:
        free = shutil.disk_usage("/dev/shm").free  # noqa: S108  # where Ray keeps its object store on Linux
    except OSError:
        return OBJECT_STORE_BYTES
    return max(SMALLEST_OBJECT_STORE_BYTES, min(OBJECT_STORE_BYTES, int(free * 0.8)))
