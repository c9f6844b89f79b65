"""A disk that is full, or cannot be written: a real one, in memory, of the size that the test wants."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset
import pytest

ROOT = Path(__file__).parents[2]
TEXTS = {f"d{number}": f"IL-{number} mRNA in Jurkat cells. NF-kappa B binds p{number}. " * 20 for number in range(250)}
BY_PLACE = [("document_id", "ascending"), ("chunk_id", "ascending")]
LOG_AND_MANIFEST_BYTES = 32 << 10


def mount(folder, options):
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],  # noqa: S607  # wherever the system has it
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip() or f"mount ended with {done.returncode}" if done.returncode else None


@pytest.fixture
def disk(tmp_path):
    """A small disk, mounted; `mount(disk, "remount,size=...")` changes it."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or (problem := mount(folder, "size=1m")):
        pytest.skip(f"no disk can be mounted here: {problem}")
    yield folder
    subprocess.run(["umount", folder], check=True)  # noqa: S607


@pytest.fixture
def corpus(tmp_path):
    lines = (json.dumps({"document_id": name, "text": text}) for name, text in TEXTS.items())
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path / "corpus.jsonl"


@pytest.fixture
def tag(ray_address):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "pipelines", "tag", *map(str, arguments), "--address", ray_address],
            cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip

    return run


def rows(folder):
    return pyarrow.dataset.dataset(folder).to_table().sort_by(BY_PLACE)


def parts(folder):
    return list(folder.glob("part-*.parquet"))


@pytest.mark.slow
def test_a_run_that_fills_the_disk_says_so_and_goes_on_when_there_is_room(tag, disk, corpus, tmp_path):
    undisturbed = tmp_path / "undisturbed"
    assert tag(corpus, "--output", undisturbed).returncode == 0
    needed = sum(path.stat().st_size for path in parts(undisturbed))
    assert mount(disk, f"remount,size={needed // 2 + LOG_AND_MANIFEST_BYTES}") is None

    full = tag(corpus, "--output", disk)

    assert full.returncode == 1
    assert full.stderr.count("\n") == 1, full.stderr
    assert full.stderr.startswith(f"cytotag: {disk}: part-")
    assert "No space left on device)" in full.stderr
    assert full.stderr.endswith("then go on with --resume\n")
    assert len(parts(disk)) < len(parts(undisturbed))

    assert mount(disk, "remount,size=8m") is None
    resumed = tag(corpus, "--output", disk, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert rows(disk).equals(rows(undisturbed))
    assert not list(disk.glob(".*"))


@pytest.mark.parametrize("options", [["--overwrite"], ["--resume"], []])
def test_a_folder_that_cannot_be_written_is_one_line_before_any_work(tag, disk, corpus, options):
    assert mount(disk, "remount,ro") is None

    done = tag(corpus, "--output", disk, *options)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"cytotag: {disk}: cannot be written (Read-only file system); check its permissions")
