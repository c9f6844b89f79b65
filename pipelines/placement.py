"""Whether a pool of actors fits the nodes of a cluster: arithmetic, without Ray."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipelines.config import TASK_CPUS, ActorPool

NODES_SHOWN = 8

TASK_SHARE = 1 / 16
"""Of the CPUs, at least, is left to tasks where a pool is made to fill a cluster. What the embedded model reads in a
second takes a fortieth of one to split and tokenize, and as much again to read and write: with a single CPU for all
tasks, sixty actors would wait for them."""

THREADS_AN_ENDPOINT = 4
"""Threads of models that one endpoint process keeps busy: with two it was at a third of a CPU."""

LABEL_OF_ONE_NODE = "ray.io/node-id"


@dataclass(frozen=True, kw_only=True)
class Node:
    """What one node of a Ray cluster has: logical CPUs and GPUs, and labels."""

    cpus: float
    gpus: float = 0
    labels: Mapping[str, str] = field(default_factory=dict)

    def has(self, labels: Mapping[str, str]) -> bool:
        """Whether the node has all of `labels`."""
        return labels.items() <= self.labels.items()

    def actors(self, pool: ActorPool, *, reserved: float = 0) -> int:
        """How many actors of a pool fit here when some of the CPUs are `reserved`."""
        if not self.has(pool.labels):
            return 0
        by_cpu = max(0, math.floor((self.cpus - reserved) / pool.threads))
        return by_cpu if pool.gpus is None else math.floor(min(by_cpu, self.gpus / pool.gpus))


def most_actors(pool: ActorPool, nodes: Sequence[Node]) -> int:
    """How many actors of a pool fit `nodes` beside a task, which may run on any of them.

    An actor lives on one node: what two nodes have left does not add up to another.
    """
    whole = sum(node.actors(pool) for node in nodes)
    beside_task = [
        whole - node.actors(pool) + node.actors(pool, reserved=TASK_CPUS) for node in nodes if node.cpus >= TASK_CPUS
    ]
    return max(beside_task, default=0)


def fill(pool: ActorPool, nodes: Sequence[Node]) -> ActorPool:
    """The same pool with as many actors as fit, and room for the tasks that feed them."""
    fed = math.floor(sum(node.cpus for node in nodes) * (1 - TASK_SHARE) / pool.threads)
    most = min(most_actors(pool, nodes), max(fed, 1))
    return replace(pool, min_size=most, max_size=most)


def misfit(pool: ActorPool, nodes: Sequence[Node]) -> str | None:
    """Why a pool, at its smallest, does not fit `nodes`: one line with the arithmetic; None where it fits.

    Ray itself would wait for room forever, and say nothing.
    """
    most = most_actors(pool, nodes)
    if pool.min_size <= most:
        return None
    where = f" with {labels_text(pool.labels)}" if pool.labels else ""
    there = [node for node in nodes if node.has(pool.labels)]
    if not there:
        return f"--labels {labels_text(pool.labels)}: no node of Ray's has that; {_labels_of(nodes)}"
    if pool.gpus is not None:
        gpus = sum(node.gpus for node in there)
        if pool.min_size > gpus:
            return (
                f"--device {pool.device}: {pool.min_size} actors need a GPU each, and Ray has {gpus:g}{where}; "
                f"{f'lower {pool.option}' if gpus >= 1 else 'ask for --device cpu'}"
            )
        where += " beside a GPU"
        there = [node for node in there if node.gpus >= pool.gpus]
    if most:
        needed = pool.min_size * pool.threads + TASK_CPUS
        return (
            f"{pool.min_size} actors x {pool.threads} threads + {TASK_CPUS} for the tasks = {needed:g} CPUs, and "
            f"{_room_of(there, pool)}{where}; ask for at most {most} actors of {pool.threads} threads "
            f"({pool.option}, --threads)"
        )
    return (
        f"an actor of {pool.threads} threads + {TASK_CPUS} for the tasks = {pool.threads + TASK_CPUS:g} CPUs, and "
        f"{_room_of(there, pool)}{where}; {'ask for fewer --threads' if pool.threads > 1 else 'give Ray more CPUs'}"
    )


def endpoint_processes(threads: int) -> int:
    """How many processes that split and tokenize keep models of so many threads, all together, busy."""
    return math.ceil(threads / THREADS_AN_ENDPOINT)


def most_replicas(cpus: float, threads: int) -> int:
    """How many models of an endpoint fit a machine beside the processes that keep them busy; one at least."""
    fitting = (
        number
        for number in range(int(cpus // threads), 1, -1)
        if number * threads + endpoint_processes(number * threads) * TASK_CPUS <= cpus
    )
    return next(fitting, 1)


def labels_text(labels: Mapping[str, str]) -> str:
    """Labels as the command line takes them."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _room_of(nodes: Sequence[Node], pool: ActorPool) -> str:
    """`Ray has 3`; on several nodes what each has and holds, for an actor lives on one of them."""
    nodes = [node for node in nodes if node.cpus]  # a head that runs no tasks has none
    if len(nodes) <= 1:
        return f"Ray has {sum(node.cpus for node in nodes):g}"
    if len(nodes) <= NODES_SHOWN:
        has = " + ".join(f"{node.cpus:g}" for node in nodes)
        holds = " + ".join(f"{node.actors(pool)}" for node in nodes)
        return f"Ray's nodes have {has}, which hold {holds} such actors"
    total, largest = sum(node.cpus for node in nodes), max(node.cpus for node in nodes)
    return f"Ray's {len(nodes)} nodes have {total:g}, the largest {largest:g}"


def _labels_of(nodes: Sequence[Node]) -> str:
    labels = {(key, value) for node in nodes for key, value in node.labels.items() if key != LABEL_OF_ONE_NODE}
    there = [f"{key}={value}" for key, value in sorted(labels)]
    return f"there is {', '.join(there)}" if there else "no node has labels"
