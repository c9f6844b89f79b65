import math

import pytest

from pipelines.config import ActorPool, ConfigError, parse_names, parse_thresholds


@pytest.mark.parametrize(
    ("actors", "threads", "device", "cpus", "gpus", "sizes"),
    [
        (None, 1, "cpu", 3, 0, (2, 2)),  # two cores, and the one more that a local Ray has
        (None, 1, "cpu", 1.5, 0, (1, 1)),
        (None, 4, "cpu", 17, 0, (4, 4)),
        (None, 4, "cpu", 16, 0, (3, 3)),  # the tasks' half CPU counts
        (None, 1, "cuda", 64, 4, (4, 4)),
        (None, 8, "cuda", 17, 4, (2, 2)),  # four GPUs, but CPUs for two
        (None, 1, "cuda", 3, math.inf, (2, 2)),  # before Ray has found the GPUs
        ("2", 1, "cpu", 3, 0, (2, 2)),
        ("1:8", 1, "cpu", 3, 0, (1, 8)),  # a cluster may grow
    ],
)
def test_pool_sizes(actors, threads, device, cpus, gpus, sizes):
    pool = ActorPool.parse(actors, threads=threads, device=device, cpus=cpus, gpus=gpus)
    assert pool == ActorPool(min_size=sizes[0], max_size=sizes[1], threads=threads, device=device)


@pytest.mark.parametrize(
    ("actors", "threads", "device", "cpus", "gpus", "message"),
    [
        ("", 1, "cpu", 3, 0, r"^--actors : give N or MIN:MAX"),
        ("many", 1, "cpu", 3, 0, r"^--actors many: give N or MIN:MAX"),
        ("2:", 1, "cpu", 3, 0, r"^--actors 2:: give N"),
        ("1:2:3", 1, "cpu", 3, 0, r"^--actors 1:2:3: give N"),
        ("1.5", 1, "cpu", 3, 0, r"^--actors 1.5: give N"),
        ("0", 1, "cpu", 3, 0, r"1 <= MIN <= MAX"),
        ("-1", 1, "cpu", 3, 0, r"1 <= MIN <= MAX"),
        ("3:2", 1, "cpu", 9, 0, r"^--actors 3:2: .*1 <= MIN <= MAX"),
        (None, 0, "cpu", 3, 0, r"^--threads 0: an actor needs 1 thread"),
        ("3", 1, "cpu", 3, 0, r"^3 actors x 1 threads \+ 0.5 .* = 3.5 CPUs, and Ray has 3; ask for at most 2 actors"),
        (None, 4, "cpu", 3, 0, r"^an actor of 4 threads \+ 0.5 .* = 4.5 CPUs, and Ray has 3; ask for fewer --threads"),
        (None, 1, "cpu", 1, 0, r"^an actor of 1 threads .* = 1.5 CPUs, and Ray has 1;"),
        ("2", 1, "cuda", 9, 1, r"^--device cuda: 2 actors need a GPU each, and Ray has 1; lower --actors$"),
        (None, 1, "cuda", 9, 0, r"^--device cuda: 1 actors need a GPU each, and Ray has 0; ask for --device cpu$"),
    ],
)
def test_a_pool_that_cannot_be_or_does_not_fit_is_refused_with_the_numbers(
    actors, threads, device, cpus, gpus, message
):
    with pytest.raises(ConfigError, match=message):
        ActorPool.parse(actors, threads=threads, device=device, cpus=cpus, gpus=gpus)


@pytest.mark.parametrize(
    ("names", "parsed"),
    [("protein", {"protein"}), (" protein , DNA,,", {"protein", "DNA"}), ("", set()), (",", set())],
)
def test_names(names, parsed):
    assert parse_names(names) == parsed


@pytest.mark.parametrize(
    ("thresholds", "parsed"),
    [
        ("0.5", (0.5, {})),
        ("RNA=0.3", (0.0, {"RNA": 0.3})),
        (" 0.5 , RNA =0.3,DNA= .6 ", (0.5, {"RNA": 0.3, "DNA": 0.6})),
        ("RNA=0.3,0.5", (0.5, {"RNA": 0.3})),
        ("a=b=1", (0.0, {"a=b": 1.0})),
    ],
)
def test_thresholds(thresholds, parsed):
    assert parse_thresholds(thresholds) == parsed


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ("", "'' is not a number"),
        ("high", "'high' is not a number or ENTITY=number"),
        ("RNA=", "'RNA=' is not a number"),
        ("0,5,", "'' is not a number"),
        ("0,5", "two numbers for all entities"),
        ("RNA=0.1,RNA=0.2", "two numbers for RNA"),
    ],
)
def test_thresholds_that_say_nothing_clear_are_refused(thresholds, message):
    with pytest.raises(ConfigError, match=f"^--threshold {thresholds}: {message}"):
        parse_thresholds(thresholds)
