import re

import pytest

from actors.model_files import ModelError
from actors.session_options import SessionOptions
from pipelines.config import ActorPool, ConfigError, parse_labels, parse_names, parse_thresholds


@pytest.mark.parametrize(
    ("actors", "sizes"), [(None, (1, 1)), ("1", (1, 1)), ("4", (4, 4)), ("1:8", (1, 8)), (" 2 : 3 ", (2, 3))]
)
def test_pool_sizes(actors, sizes):
    pool = ActorPool.parse(actors, threads=2, device="cuda", labels={"pool": "gpu"})
    assert pool == ActorPool(
        min_size=sizes[0], max_size=sizes[1], threads=2, device="cuda", labels={"pool": "gpu"}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("actors", "threads", "message"),
    [
        ("", 1, r"^--actors : give N or MIN:MAX"),
        ("many", 1, r"^--actors many: give N or MIN:MAX"),
        ("2:", 1, r"^--actors 2:: give N"),
        ("1:2:3", 1, r"^--actors 1:2:3: give N"),
        ("1.5", 1, r"^--actors 1.5: give N"),
        ("0", 1, r"1 <= MIN <= MAX"),
        ("-1", 1, r"1 <= MIN <= MAX"),
        ("3:2", 1, r"^--actors 3:2: .*1 <= MIN <= MAX"),
        (None, 0, r"^--threads 0: an actor needs 1 thread"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(actors, threads, message):
    with pytest.raises(ConfigError, match=message):
        ActorPool.parse(actors, threads=threads, device="cpu")


@pytest.mark.parametrize(("device", "gpus"), [("cpu", None), ("openvino", None), ("cuda", 1), ("tensorrt", 1)])
def test_an_actor_has_a_gpu_where_its_device_is_one(device, gpus):
    pool = ActorPool.parse("2", threads=1, device=device)
    assert pool.gpus == gpus
    assert (pool.batch_size is None) == (gpus is None)  # Ray wants a fixed size beside a GPU


def test_options_of_the_session_that_the_device_does_not_know_are_refused():
    options = SessionOptions(precision="bfloat16")
    assert ActorPool.parse("2", threads=1, device="openvino", session_options=options).session_options == options
    with pytest.raises(ModelError, match=r"^--session precision=bfloat16: for tensorrt or openvino, not for --device"):
        ActorPool.parse("2", threads=1, device="cpu", session_options=options)


@pytest.mark.parametrize(
    ("labels", "parsed"),
    [
        ("pool=gpu", {"pool": "gpu"}),
        (" pool = gpu , zone=eu-1_a.b", {"pool": "gpu", "zone": "eu-1_a.b"}),
        ("ray.io/accelerator-type=A10G", {"ray.io/accelerator-type": "A10G"}),
    ],
)
def test_labels(labels, parsed):
    assert parse_labels(labels) == parsed


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("", "'' is not KEY=VALUE"),
        ("gpu", "'gpu' is not KEY=VALUE"),
        ("pool=", "'pool=' is not KEY=VALUE"),
        ("=gpu", "'=gpu' is not KEY=VALUE"),
        ("pool=!gpu", "'pool=!gpu' is not KEY=VALUE"),
        ("pool=in(a, b)", r"'pool=in\(a' is not KEY=VALUE"),
        ("a=b=c", "'a=b=c' is not KEY=VALUE"),
        ("pool=a,pool=b", "two values for pool"),
    ],
)
def test_labels_that_ray_could_not_match_are_refused(labels, message):
    with pytest.raises(ConfigError, match=rf"^--labels {re.escape(labels)}: {message}"):
        parse_labels(labels)


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
        ("RNA=0.3", (None, {"RNA": 0.3})),
        (" 0.5 , RNA =0.3,DNA= .6 ", (0.5, {"RNA": 0.3, "DNA": 0.6})),
        ("RNA=0.3,0.5", (0.5, {"RNA": 0.3})),
        ("a=b=1", (None, {"a=b": 1.0})),
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
