"""What is made of a job's numbers: the CPU time beside the model, and what growth costs."""

import math
import os
import time

import psutil
import pytest

from benchmarks.rows.overhead import difference, row_of
from benchmarks.rows.scaling import Growth, rows_of
from benchmarks.watched_job import DRIVER, MODEL, RAYS_OWN, TASKS, CpuSamples, JobNumbers, WatchedJob, kind_of


def job(pieces, seconds, *, cpu=None, model_seconds=0.0, peak=1 << 20):
    numbers = JobNumbers(documents=pieces, pieces=pieces, tagging_seconds=seconds, model_seconds=model_seconds)
    return WatchedJob(numbers=numbers, cpu_seconds=cpu or {}, peak_memory=peak)


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("ray::MapWorker(MapBatches(GuardedTokenClassifier)).submit", MODEL),
        ("ray::ReadCorpus->MapBatches(transform)", TASKS),
        ("ray::IDLE", TASKS),
        ("/venv/lib/ray/core/src/ray/raylet/raylet --raylet_socket_name=...", RAYS_OWN),
        ("/venv/bin/python -m TokenClassifier", RAYS_OWN),
    ],
)
def test_processes_are_told_by_their_titles(title, kind):
    assert kind_of(title) == kind


def test_a_process_counts_once_with_what_it_took_last():
    samples = CpuSamples()
    samples.note(7, 1.0, TASKS, 1.0)
    samples.note(7, 1.0, MODEL, 2.0)
    samples.note(7, 1.0, TASKS, 5.0)  # idle, and titled so, but it held the model
    samples.note(7, 9.0, TASKS, 0.5)  # another process that got the same number
    samples.note(8, 1.0, DRIVER, 3.0)
    assert samples.by_kind() == {MODEL: 5.0, TASKS: 0.5, DRIVER: 3.0}


def test_a_sample_sees_the_cpu_time_of_a_process():
    samples, before = CpuSamples(), time.process_time()
    while time.process_time() - before < 0.05:
        pass
    samples.take(psutil.Process(os.getpid()))
    assert samples.by_kind()[DRIVER] >= 0.04  # what the kernel says comes in ticks of 10 ms


def test_what_is_beside_the_model_is_all_without_the_start_less_the_model():
    short = job(10, 5, cpu={MODEL: 4.0, TASKS: 9.0}, model_seconds=1.0)
    long = job(100, 50, cpu={MODEL: 94.0, TASKS: 17.0, RAYS_OWN: 2.0}, model_seconds=95.0)
    shares = difference(short, long, model=86.0)
    assert shares.all == pytest.approx(100.0)
    assert shares.beside == pytest.approx(0.14)
    assert shares.model_clock == pytest.approx(94.0)
    row = row_of("embedded", [shares])
    assert (row.ours, row.theirs, row.goal) == (pytest.approx(14.0), pytest.approx(100.0), 0.15)
    assert row.met
    assert not row_of("BERT-base", [shares]).met
    assert "model actors 90%, tasks 8%, Ray's own 2%" in row.note
    assert "94%" in row.note


def test_no_difference_is_no_share():
    shares = difference(job(10, 5), job(10, 5), model=0.0)
    assert math.isnan(shares.beside)


def test_a_model_that_took_more_alone_than_the_whole_job_is_noise():
    shares = difference(job(10, 5), job(100, 50, cpu={MODEL: 94.0}), model=95.0)
    assert math.isnan(shares.beside)
    assert row_of("embedded", [shares]).met is None


def test_growth_is_measured_without_the_start():
    short = job(100, 20.0)
    turn = Growth(short, small=job(1100, 30.0, peak=100 << 20), large=job(10_100, 122.0, peak=105 << 20))
    rate, memory = rows_of("embedded", [turn])
    assert (rate.theirs, rate.ours) == (pytest.approx(100.0), pytest.approx(10_000 / 102))
    assert (rate.ratio, rate.met) == (pytest.approx(100 / 102), True)
    assert (memory.ratio, memory.goal, memory.goal_is_most, memory.met) == (pytest.approx(1.05), 1.1, True, True)


def test_where_noise_is_more_than_the_work_nothing_is_said():
    turn = Growth(job(100, 20.0), small=job(1100, 19.0), large=job(10_100, 122.0))
    rate, memory = rows_of("embedded", [turn])
    assert math.isnan(rate.ratio)
    assert rate.met is None
    assert memory.met
