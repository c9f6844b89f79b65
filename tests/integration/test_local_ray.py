"""The Ray that is started for a run."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

A_TASK_TWICE_WITH_A_PAUSE = """
import os, time
import ray
from pipelines.local_ray import ray_session

class Busy:
    def is_up(self):
        return True

def process():
    return os.getpid()

with ray_session(None):
    actor = ray.remote(Busy).options(num_cpus=ray.cluster_resources()["CPU"]).remote()
    assert ray.get(actor.is_up.remote())
    task = ray.remote(num_cpus=0)(process)
    first = ray.get(task.remote())
    time.sleep(6)
    print("kept" if ray.get(task.remote()) == first else "started anew")
"""


def test_a_worker_that_waits_for_its_next_task_is_kept():
    """Where actors have all CPUs Ray would end it after a second; to start one takes a second of CPU."""
    command = [sys.executable, "-c", A_TASK_TWICE_WITH_A_PAUSE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == "kept\n", done.stderr
