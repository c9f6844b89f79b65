"""Which pools fit which nodes, and what is said of those that do not."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config import TASK_CPUS, ActorPool
from pipelines.placement import Node, endpoint_processes, fill, misfit, most_actors, most_replicas

CPU_POOL, GPU_POOL = {"pool": "cpu"}, {"pool": "gpu"}
HEAD = Node(cpus=0)
MIXED = [HEAD, Node(cpus=8, labels=CPU_POOL), Node(cpus=8, labels=CPU_POOL), Node(cpus=4, gpus=2, labels=GPU_POOL)]


def pool(smallest=1, *, largest=None, **options):
    return ActorPool(min_size=smallest, max_size=largest or smallest, **options)


def nodes_of(*cpus):
    return [Node(cpus=one) for one in cpus]


@pytest.mark.parametrize(
    ("nodes", "options", "most"),
    [
        (nodes_of(3), {}, 2),  # two cores, and the one more that a local Ray has
        (nodes_of(1.5), {}, 1),
        (nodes_of(1), {}, 0),
        (nodes_of(2), {}, 1),
        (nodes_of(4), {}, 3),
        (nodes_of(17), {"threads": 4}, 4),
        (nodes_of(16), {"threads": 4}, 3),  # the tasks' half CPU counts
        (nodes_of(2, 2), {"threads": 4}, 0),  # 4 CPUs, but no node has them
        (nodes_of(2, 2), {"threads": 2}, 1),  # the tasks take the other
        (nodes_of(3, 3, 1), {"threads": 2}, 2),  # 7 CPUs would be three such actors
        (nodes_of(3, 4), {"threads": 2}, 3),  # the task runs where a CPU is left over
        (nodes_of(0, 2, 2), {}, 3),  # a head without CPUs
        (nodes_of(0), {}, 0),
        ([], {}, 0),
        (nodes_of(0.25, 1), {}, 0),
        ([Node(cpus=64, gpus=4)], {"device": "cuda"}, 4),
        ([Node(cpus=64, gpus=4)], {"device": "tensorrt"}, 4),
        ([Node(cpus=8, gpus=4)], {"device": "openvino"}, 7),
        ([Node(cpus=17, gpus=4)], {"device": "cuda", "threads": 8}, 2),  # four GPUs, but CPUs for two
        ([Node(cpus=3, gpus=math.inf)], {"device": "cuda"}, 2),  # before Ray has found the GPUs
        ([Node(cpus=1, gpus=4), Node(cpus=64)], {"device": "cuda"}, 1),  # GPUs here, CPUs there
        (MIXED, {"labels": CPU_POOL}, 16),  # the tasks may run beside the GPUs
        (MIXED, {"labels": GPU_POOL, "device": "cuda"}, 2),
        (MIXED, {"labels": CPU_POOL, "device": "cuda"}, 0),
        (MIXED, {"labels": {"pool": "none"}}, 0),
    ],
)
def test_how_many_actors_fit(nodes, options, most):
    assert most_actors(pool(**options), nodes) == most
    assert (misfit(pool(**options), nodes) is None) == (most > 0)


@pytest.mark.parametrize(
    ("nodes", "options", "size"),
    [
        (nodes_of(3), {}, 2),
        (nodes_of(1.5), {}, 1),
        (nodes_of(9), {}, 8),
        (nodes_of(16), {}, 15),
        (nodes_of(65), {}, 60),  # 64 cores: 5 CPUs, ten tasks, feed them
        (nodes_of(*[16] * 64), {}, 960),
        (nodes_of(*[16] * 64), {"threads": 4}, 240),
        (nodes_of(4.5), {"threads": 4}, 1),  # one actor, whatever is left
        (MIXED, {"device": "cuda"}, 2),  # GPUs are the limit
    ],
)
def test_a_pool_that_fills_a_cluster_leaves_room_for_the_tasks(nodes, options, size):
    filled = fill(pool(**options), nodes)
    assert (filled.min_size, filled.max_size) == (size, size)


def test_only_the_smallest_size_has_to_fit_for_a_cluster_may_grow():
    assert misfit(pool(1, largest=8), nodes_of(3)) is None
    assert misfit(pool(2, largest=2), nodes_of(3)) is None
    assert misfit(pool(3, largest=8), nodes_of(3)) is not None


@pytest.mark.parametrize(
    ("wanted", "nodes", "message"),
    [
        (
            pool(3),
            nodes_of(3),
            "3 actors x 1 threads + 0.5 for the tasks = 3.5 CPUs, and Ray has 3; "
            "ask for at most 2 actors of 1 threads (--actors, --threads)",
        ),
        (
            pool(threads=4),
            nodes_of(3),
            "an actor of 4 threads + 0.5 for the tasks = 4.5 CPUs, and Ray has 3; ask for fewer --threads",
        ),
        (
            pool(),
            nodes_of(1),
            "an actor of 1 threads + 0.5 for the tasks = 1.5 CPUs, and Ray has 1; give Ray more CPUs",
        ),
        (
            pool(),
            nodes_of(0),
            "an actor of 1 threads + 0.5 for the tasks = 1.5 CPUs, and Ray has 0; give Ray more CPUs",
        ),
        (
            pool(threads=4),
            nodes_of(0, 2, 2),
            "an actor of 4 threads + 0.5 for the tasks = 4.5 CPUs, and Ray's nodes have 2 + 2, which hold 0 + 0 such "
            "actors; ask for fewer --threads",
        ),
        (
            pool(3, threads=2),
            nodes_of(3, 3, 1),
            "3 actors x 2 threads + 0.5 for the tasks = 6.5 CPUs, and Ray's nodes have 3 + 3 + 1, which hold 1 + 1 + 0 "
            "such actors; ask for at most 2 actors of 2 threads (--actors, --threads)",
        ),
        (
            pool(40),
            nodes_of(*[2] * 19, 1),
            "40 actors x 1 threads + 0.5 for the tasks = 40.5 CPUs, and Ray's 20 nodes have 39, the largest 2; "
            "ask for at most 38 actors of 1 threads (--actors, --threads)",
        ),
        (
            pool(2, device="cuda"),
            [Node(cpus=9, gpus=1)],
            "--device cuda: 2 actors need a GPU each, and Ray has 1; lower --actors",
        ),
        (
            pool(device="cuda"),
            nodes_of(9),
            "--device cuda: 1 actors need a GPU each, and Ray has 0; ask for --device cpu",
        ),
        (
            pool(device="tensorrt"),
            nodes_of(9),
            "--device tensorrt: 1 actors need a GPU each, and Ray has 0; ask for --device cpu",
        ),
        (
            pool(2, device="cuda", threads=3),
            MIXED,
            "2 actors x 3 threads + 0.5 for the tasks = 6.5 CPUs, and Ray has 4 beside a GPU; "
            "ask for at most 1 actors of 3 threads (--actors, --threads)",
        ),
        (
            pool(device="cuda", labels=CPU_POOL),
            MIXED,
            "--device cuda: 1 actors need a GPU each, and Ray has 0 with pool=cpu; ask for --device cpu",
        ),
        (
            pool(labels={"pool": "tpu", "zone": "a"}),
            [*MIXED, Node(cpus=1, labels={"ray.io/node-id": "0af", "zone": "a"})],
            "--labels pool=tpu,zone=a: no node of Ray's has that; there is pool=cpu, pool=gpu, zone=a",
        ),
        (pool(labels=GPU_POOL), nodes_of(3), "--labels pool=gpu: no node of Ray's has that; no node has labels"),
    ],
)
def test_what_does_not_fit_is_said_with_the_numbers(wanted, nodes, message):
    assert misfit(wanted, nodes) == message


def fits_in_some_way(count, threads, nodes):
    """The same by trial: every way to spread the actors over the nodes."""
    ways = itertools.product(range(count + 1), repeat=len(nodes))
    return any(
        sum(way) == count
        and all(size * threads <= node.cpus for size, node in zip(way, nodes, strict=True))
        and any(node.cpus - size * threads >= TASK_CPUS for size, node in zip(way, nodes, strict=True))
        for way in ways
    )


@given(
    st.lists(st.sampled_from([0, 0.5, 1, 1.5, 2, 3, 4, 5]), max_size=3).map(lambda cpus: nodes_of(*cpus)),
    st.integers(1, 4),
)
def test_the_number_is_the_largest_that_fits(nodes, threads):
    most = most_actors(pool(threads=threads), nodes)
    assert most == 0 or fits_in_some_way(most, threads, nodes)
    assert not fits_in_some_way(most + 1, threads, nodes)


@pytest.mark.parametrize(
    ("cpus", "threads", "replicas"),
    [(1, 1, 1), (2, 1, 1), (3, 1, 2), (5, 1, 4), (9, 1, 8), (65, 1, 57), (65, 4, 14), (3, 4, 1)],
)
def test_models_of_an_endpoint_leave_room_for_what_keeps_them_busy(cpus, threads, replicas):
    assert most_replicas(cpus, threads) == replicas
    if replicas > 1:
        assert replicas * threads + endpoint_processes(replicas * threads) * TASK_CPUS <= cpus


def test_an_endpoint_process_keeps_four_threads_busy():
    assert [endpoint_processes(threads) for threads in (1, 4, 5, 57)] == [1, 1, 2, 15]
