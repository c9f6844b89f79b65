"""One Ray for all the integration tests: it takes seconds to start, and hangs where CPUs are few. And one browser."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]

os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

LOGICAL_CPUS = 4


@pytest.fixture(scope="session")
def ray_address():
    """The address of a running Ray with 4 logical CPUs, whatever the machine has."""
    import ray

    ray.init(
        address="local",
        num_cpus=LOGICAL_CPUS,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=300 << 20,
        runtime_env={"env_vars": {"TOKENIZERS_PARALLELISM": "false"}},
    )
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture
def data_context(ray_address):  # noqa: ARG001  # a fixture may not use `usefixtures`
    """Ray Data's settings for one test: a pipeline that hangs fails, and the settings are put back."""
    from ray.data import DataContext

    before = DataContext.get_current()
    context = before.copy()
    context.execution_no_progress_timeout_s = 120
    context.enable_progress_bars = False
    DataContext._set_current(context)
    yield context
    DataContext._set_current(before)


@pytest.fixture(scope="session")
def cytotag(ray_address):
    """Runs the command on the session's Ray."""

    def run(*arguments, **options):
        command = [sys.executable, "-m", "pipelines", *map(str, arguments)]
        if arguments[0] == "tag":
            command += ["--address", ray_address]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False, **options)

    return run


class Endpoint(NamedTuple):
    """An endpoint that runs: `url`, and the process of its command."""

    url: str
    process: subprocess.Popen

    def ask(self, path, body=None, headers=None, timeout=60):
        """Status, headers and body of an answer."""
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        request = urllib.request.Request(f"{self.url}{path}", content, headers or {})  # noqa: S310  # http
        if content is not None and "Content-type" not in request.headers:
            request.add_header("Content-type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:  # noqa: S310  # http
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()


@contextlib.contextmanager
def served(*options, port=None, seconds=120):
    """Runs `cytotag serve`, yields the Endpoint when it says that it is there, and ends it with SIGTERM.

    Nothing but its own lines may come on stdout and stderr, and it has to end with exit code 0.
    """
    port = port or free_port()
    command = [sys.executable, "-m", "pipelines", "serve", "--port", str(port), *map(str, options)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, text=True)

        def said():
            output.seek(0)
            return output.read().splitlines()

        hello = f"http://localhost:{port}  page; /docs describes the API; Ctrl-C stops"
        try:
            deadline = time.monotonic() + seconds
            while hello not in said():
                assert process.poll() is None, said()
                assert time.monotonic() < deadline, f"not there after {seconds} s: {said()}"
                time.sleep(0.2)
            yield Endpoint(f"http://127.0.0.1:{port}", process)
            if process.poll() is None:
                process.terminate()
            assert process.wait(seconds) == 0, said()
            assert said() == [hello, "answers what was asked, then stops"]
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def serve_endpoint(ray_address):
    """`with serve_endpoint(*options) as endpoint`: the real command on the session's Ray.

    The ports are one: Ray Serve, once started, keeps its own while its cluster lives.
    """
    port = free_port()

    def start(*options):
        return served("--address", ray_address, *options, port=port)

    start.port = port
    return start


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A headless Chromium that Selenium drives, with its logs of the console and of requests."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.fail(
            "the pages are tested in a browser: apt-get install --no-install-recommends chromium chromium-driver",
            pytrace=False,
        )
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        "--no-first-run",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    started.set_script_timeout(60)
    yield started
    started.quit()
