import re
import signal
import subprocess
import sys

import pytest

from pipelines.outputs.folder import claim, prepare
from pipelines.outputs.output_error import OutputError

HOLD = """
import sys, time
from pathlib import Path
from pipelines.outputs.folder import claim
with claim(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def other_run(tmp_path):
    """Another process that has claimed the folder."""
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_folder_that_another_run_writes_is_refused_and_says_who_does(tmp_path, other_run):
    message = (
        rf"^{tmp_path}: another cytotag run \(process {other_run.pid} on \S+, since \d{{4}}-\S+\+00:00\) is writing "
        r"here; wait for it or choose another folder$"
    )
    for _ in range(2):
        with pytest.raises(OutputError, match=message), claim(tmp_path):
            pytest.fail("two runs have the folder")


def test_the_claim_of_a_killed_run_ends_with_it(tmp_path, other_run):
    other_run.send_signal(signal.SIGKILL)
    other_run.wait()
    with claim(tmp_path):
        assert prepare(tmp_path, "new") is None


def test_a_folder_is_free_after_a_run_whatever_its_end(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), claim(tmp_path):
            raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["_lock"]


def test_a_folder_of_someone_else_gets_no_lock(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match=re.escape("holds thesis.tex and no cytotag run")), claim(tmp_path):
        pytest.fail("it was claimed")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "_lock").mkdir()
    with pytest.raises(OutputError, match=rf"^{tmp_path}: cannot be written \(Is a directory\)"), claim(tmp_path):
        pytest.fail("it was claimed")


def test_object_stores_have_no_lock(bucket):
    with claim(bucket), claim(bucket):
        assert list(bucket.iterdir()) == []
