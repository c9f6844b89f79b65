"""One Ray for all the integration tests: it takes seconds to start, and hangs where CPUs are few. And one browser."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

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


@pytest.fixture(scope="session")
def serve_endpoint(ray_address):
    """`with serve_endpoint(*options) as endpoint`: the real command on the session's Ray.

    Nothing but its own lines may come on stdout and stderr, and it has to end with exit code 0. The ports are one: Ray
    Serve, once started, keeps its own while its cluster lives.
    """
    from benchmarks.endpoint import free_port, serving

    port = free_port()

    @contextlib.contextmanager
    def start(*options):
        with serving("--address", ray_address, *map(str, options), port=port) as endpoint:
            yield endpoint
            if endpoint.process.poll() is None:
                endpoint.process.terminate()
            assert endpoint.process.wait(120) == 0, endpoint.said()
            hello = f"http://localhost:{port}  page; /docs describes the API; Ctrl-C stops"
            assert endpoint.said() == [hello, "answers what was asked, then stops"]

    start.port = port
    return start
