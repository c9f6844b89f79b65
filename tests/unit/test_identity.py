import hashlib
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from pipelines.corpora import identity
from pipelines.corpora.identity import identify, to_hash
from pipelines.corpora.input_files import find_input_files

CONTENT = b'{"text": "IL-2"}\n'
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pubmed25n0001.jsonl"
    path.write_bytes(CONTENT)
    return path


def found(*paths):
    return find_input_files([str(path) for path in paths])


def recorded(*paths):
    """What the manifest of a run over these files says of them."""
    return [asdict(one) for one in identify(found(*paths), ()).files]


def version(path, before=()):
    [one] = identify(found(path), before).files
    return one.version


def test_a_version_is_size_and_content(file):
    assert version(file) == f"{len(CONTENT)}-{hashlib.sha256(CONTENT).hexdigest()}"


def test_a_copy_and_a_touched_file_are_the_same(file, tmp_path):
    before = version(file)
    os.utime(file, ns=(1, 1))
    assert version(file) == before
    (tmp_path / "copy.jsonl").write_bytes(CONTENT)
    assert version(tmp_path / "copy.jsonl") == before


def test_the_same_size_with_other_content_is_another_version(file):
    before = recorded(file)
    modified = file.stat().st_mtime_ns
    file.write_bytes(CONTENT.replace(b"2", b"3"))
    os.utime(file, ns=(modified + 1, modified + 1))
    assert version(file, before) != before[0]["version"]


def test_a_file_with_recorded_size_and_time_is_not_opened(file, monkeypatch):
    before = recorded(file)
    monkeypatch.setattr(identity, "_version", lambda _: pytest.fail("it was opened"))
    assert to_hash(found(file), before) == []
    assert version(file, before) == before[0]["version"]


@pytest.mark.parametrize("change", [{"size": 1}, {"modified": 1}, {"path": "/b"}, {"version": ""}])
def test_a_file_of_which_anything_else_was_recorded_is_hashed(file, change):
    [before] = recorded(file)
    assert to_hash(found(file), [before | change]) == found(file)


def test_what_a_run_without_times_recorded_is_not_trusted(file):
    [before] = recorded(file)
    del before["modified"]
    assert to_hash(found(file), [before]) == found(file)


@pytest.mark.parametrize(
    "line",
    [
        f"MD5(pubmed25n0001.jsonl)= {MD5}",
        f"MD5 (pubmed25n0001.jsonl) = {MD5.upper()}",
        f"{MD5}  pubmed25n0001.jsonl",
        f"{MD5} *./baseline/pubmed25n0001.jsonl",
        MD5,
        f"{'0' * 32}  another.jsonl\n{MD5}  pubmed25n0001.jsonl\n",
    ],
)
def test_a_right_md5_lets_the_file_pass(file, line):
    Path(f"{file}.md5").write_text(f"{line}\n")
    assert identify(found(file), ()).refused == ()
    assert version(file).endswith(hashlib.sha256(CONTENT).hexdigest())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            f"MD5(pubmed25n0001.jsonl)= {'0' * 32}",
            f"its MD5 is {MD5}, and pubmed25n0001.jsonl.md5 says {'0' * 32}; do",
        ),
        (f"{'0' * 32}  pubmed25n0001.jsonl", f"its MD5 is {MD5}"),
        (f"{MD5}  another.jsonl", "pubmed25n0001.jsonl.md5 beside it holds no MD5 of it; download"),
        ("<html>404</html>", "holds no MD5 of it"),
        ("", "holds no MD5 of it"),
    ],
)
def test_a_file_that_its_md5_does_not_fit_is_refused_and_the_others_are_not(file, tmp_path, line, reason):
    Path(f"{file}.md5").write_text(line)
    (tmp_path / "other.jsonl").write_bytes(b"")
    identified = identify(found(file, tmp_path / "other.jsonl"), ())
    assert [Path(one.path).name for one in identified.files] == ["other.jsonl"]
    [error] = identified.refused
    assert error.path == str(file)
    assert reason in error.reason


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(file):
    file.chmod(0)
    [error] = identify(found(file), ()).refused
    assert "cannot be read (Permission denied)" in str(error)


def test_a_file_that_went_away_is_refused(file):
    files = found(file)
    file.unlink()
    [error] = identify(files, ()).refused
    assert str(error).startswith(f"{file}: the file cannot be read (No such file")


def test_files_are_identified_in_order_and_more_than_threads(tmp_path):
    for number in range(40):
        (tmp_path / f"{number:02d}.txt").write_text(f"{number}")
    files = identify(found(tmp_path), ()).files
    assert [Path(one.path).name for one in files] == [f"{number:02d}.txt" for number in range(40)]
    assert len({one.version for one in files}) == 40


def test_an_object_has_its_version_from_the_store(bucket, monkeypatch):
    (bucket / "a.txt").write_bytes(b"x")
    monkeypatch.setattr(identity, "_version", lambda _: pytest.fail("it was read"))
    files = found(bucket)
    assert identify(files, ()).files == tuple(files)
    assert identify(files, [asdict(files[0]) | {"version": "older"}]).files == tuple(files)
