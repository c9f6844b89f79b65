import itertools
import json
import os
from dataclasses import replace
from types import SimpleNamespace

import pyarrow as pa
import pytest

from pipelines.outputs import folder as output_folder
from pipelines.outputs import manifest
from pipelines.outputs.dataset import read_chunks
from pipelines.outputs.folder import clear, discard_uncommitted, prepare, read_notes
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import merge_coverage
from pipelines.outputs.sink import PartSink
from pipelines.schema import CHUNK
from pipelines.storage import StorePath
from tests.unit.killed_at import killed_at

DOCUMENTS = 4
FORMATS = sorted(OUTPUT_FORMATS)


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch):
    """A kill loses nothing that was written, so these tests need not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def begun(output_format="parquet"):
    return Manifest(
        state="running",
        command=(),
        settings={"output_format": output_format},
        model={"folder": "/m", "sha256": "ab"},
        inputs=(),
    )


def document(ordinal):
    """One document of four; the odd ones are errors, the even ones have a chunk."""
    chunk = {"sentence_id": 0, "chunk_id": 0, "start": 0, "end": 1, "text": f"{ordinal}", "entity": "RNA", "score": 0.5}
    row = {
        "document_id": f"{ordinal}",
        "source": "a.jsonl",
        "source_version": "1-2",
        "ordinal": ordinal,
        "last": ordinal == DOCUMENTS - 1,
        "text": None if ordinal % 2 else "x",
        "metadata": [],
        "error": f"line {ordinal}" if ordinal % 2 else None,
        "sentences": [],
        "token_count": 0,
        "chunks": [] if ordinal % 2 else [chunk],
    }
    return pa.Table.from_pylist([row], schema=CHUNK)


def run(folder, output_format, mode, run_id):
    """What a job does to its folder, without Ray; a part a document."""
    prepare(folder, mode)
    begun(output_format).write(folder)
    discard_uncommitted(folder, output_format)
    covered = merge_coverage(read_notes(folder, output_format).values())
    done = [ordinal for one in covered.values() for start, stop in one.ranges for ordinal in range(start, stop)]
    sink = PartSink(folder, output_format, run_id)
    for task, ordinal in enumerate(sorted(set(range(DOCUMENTS)) - set(done))):
        sink.write([document(ordinal)], SimpleNamespace(task_idx=task))
    discard_uncommitted(folder, output_format)
    replace(begun(output_format), state="finished").write(folder)


def files(folder):
    inside = len(f"{folder}/")
    paths = [path for path in folder.rglob("*") if isinstance(path, StorePath) or path.is_file()]
    return {str(path)[inside:]: path.read_bytes() for path in paths}


def assert_holds_every_document_once(folder, output_format, *, but_for_temporary_files=False):
    assert Manifest.read(folder).state == "finished"
    notes = read_notes(folder, output_format)
    [coverage] = merge_coverage(notes.values()).values()
    assert coverage.complete
    rows, count = read_chunks(folder, 100)
    assert sorted(row["document_id"] for row in rows) == ["0", "2"]
    assert count == 2
    assert sorted(json.loads(line)["ordinal"] for line in output_folder.read_errors(folder)) == [1, 3]
    assert but_for_temporary_files or not list(folder.rglob(".*"))
    parts = [path.stem for path in folder.glob("part-*")]
    assert sorted(parts) == sorted(notes)


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_run_killed_at_any_file_operation_is_mended_by_resume(tmp_path, output_format):
    for operation in itertools.count():
        folder = tmp_path / f"{operation}"
        killed = killed_at(operation, lambda: run(folder, output_format, "new", "00000001"))  # noqa: B023  # called now
        run(folder, output_format, "resume", "00000002")
        assert_holds_every_document_once(folder, output_format)
        if not killed:
            break
    assert operation > 3 * DOCUMENTS


def overwrite_killed_at(operation, folder, output_format, again):
    """An overwrite that dies at the file operation of that number, and the run after it.

    Returns:
        Whether it had so many operations, and so died.
    """
    run(folder, output_format, "new", "00000001")
    (folder / "mine.txt").write_bytes(b"kept")
    killed = killed_at(operation, lambda: run(folder, output_format, "overwrite", "00000002"))
    if killed and Manifest.read(folder).state == "finished":  # only before anything is deleted, or at the end
        assert_holds_every_document_once(folder, output_format, but_for_temporary_files=True)
    run(folder, output_format, again, "00000003")
    assert_holds_every_document_once(folder, output_format)
    assert (folder / "mine.txt").exists()
    return killed


@pytest.mark.parametrize("again", ["resume", "overwrite"])
@pytest.mark.parametrize("output_format", FORMATS)
def test_an_overwrite_killed_at_any_file_operation_is_mended(tmp_path, output_format, again):
    for operation in itertools.count():
        if not overwrite_killed_at(operation, tmp_path / f"{operation}", output_format, again):
            break
    assert operation > 5 * DOCUMENTS


@pytest.mark.parametrize("mode", ["new", "overwrite"])
@pytest.mark.parametrize("output_format", FORMATS)
def test_a_run_in_a_store_killed_at_some_operations_is_mended(bucket, output_format, mode):
    for operation in (0, 1, 3, 6, 9):
        folder = bucket / f"{operation}"
        if mode == "overwrite":
            assert overwrite_killed_at(operation, folder, output_format, "resume")
            continue
        assert killed_at(operation, lambda: run(folder, output_format, "new", "00000001"))  # noqa: B023  # called now
        run(folder, output_format, "resume", "00000002")
        assert_holds_every_document_once(folder, output_format)


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_part_deleted_by_hand_is_made_again(place, output_format):
    run(place, output_format, "new", "00000001")
    OUTPUT_FORMATS[output_format].part_files(place)[0].unlink()
    run(place, output_format, "resume", "00000002")
    assert_holds_every_document_once(place, output_format)


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_task_that_is_run_again_replaces_its_part_and_its_errors(place, output_format):
    run(place, output_format, "new", "00000001")
    before = files(place)
    sink = PartSink(place, output_format, "00000001")
    sink.write([document(1)], SimpleNamespace(task_idx=1))
    assert files(place) == before
    sink.write([document(0)], SimpleNamespace(task_idx=1))
    assert sorted(json.loads(line)["ordinal"] for line in output_folder.read_errors(place)) == [3]


def test_a_task_without_documents_writes_no_part(place):
    PartSink(place, "parquet", "00000001").write([CHUNK.empty_table()], SimpleNamespace(task_idx=0))
    assert files(place) == {}


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_machine_without_the_folder_says_so_and_makes_none(tmp_path, output_format):
    folder = tmp_path / "not mounted here"
    with pytest.raises(OutputError, match=rf"^{folder}: part-00000001-000000 cannot be written on .*--resume"):
        PartSink(folder, output_format, "00000001").write([document(0)], SimpleNamespace(task_idx=0))
    assert not folder.exists()


@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
def test_a_new_or_empty_folder_begins_a_run(tmp_path, mode):
    assert prepare(tmp_path / "a" / "b", mode) is None
    assert prepare(tmp_path / "a" / "b", mode) is None
    (tmp_path / "a" / "b" / f".{manifest.NAME}.77.tmp").write_text("{")  # a kill in the first moment
    assert prepare(tmp_path / "a" / "b", mode) is None


def test_a_folder_with_a_run_is_not_touched_unless_told(place):
    run(place, "parquet", "new", "00000001")
    before = files(place)
    with pytest.raises(OutputError, match=rf"^{place}: holds a run \(finished, .*--resume.*--overwrite"):
        prepare(place, "new")
    assert prepare(place, "resume") == Manifest.read(place)
    assert files(place) == before


@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
@pytest.mark.parametrize("name", ["thesis.tex", ".hidden", "part-00000000-000000.parquet"])
def test_a_folder_of_someone_else_is_refused_whole(place, mode, name):
    (place / name).write_bytes(b"x")
    with pytest.raises(OutputError, match=rf"^{place}: holds {name} and no cytotag run; choose"):
        prepare(place, mode)
    assert files(place) == {name: b"x"}


@pytest.mark.parametrize("mode", ["new", "resume", "overwrite"])
def test_a_damaged_manifest_is_refused_and_nothing_deleted(place, mode):
    run(place, "parquet", "new", "00000001")
    (place / manifest.NAME).write_bytes(b'{"state": ')
    before = files(place)
    with pytest.raises(OutputError, match=r"_manifest.json: damaged"):
        prepare(place, mode)
    assert files(place) == before


@pytest.mark.parametrize(("name", "message"), [("file", "is a file; choose"), ("file/in", "cannot be used")])
def test_a_path_that_cannot_be_a_folder_is_refused(tmp_path, name, message):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match=rf"^{tmp_path / name}: {message}"):
        prepare(tmp_path / name, "new")


FOREIGN = [
    "part-00000.parquet",
    "part-00000-2f9c0ffe-1234-c000.snappy.parquet",
    "part-1.jsonl",
    ".mine.tmp",
    "_delta_log/0.json",
    "_notes/mine.json",
    "_errors/mine.jsonl",
    "sub/.part-00000001-000000.parquet.1.tmp",
]


@pytest.mark.parametrize("output_format", FORMATS)
def test_nothing_that_is_not_ours_is_ever_deleted(place, output_format):
    run(place, output_format, "new", "00000001")
    for name in FOREIGN:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(b"mine")
    discard_uncommitted(place, output_format)
    clear(place)
    assert files(place).keys() == {manifest.NAME, *FOREIGN}


@pytest.mark.parametrize("output_format", FORMATS)
def test_clear_leaves_the_manifest_alone(place, output_format):
    run(place, output_format, "new", "00000001")
    clear(place)
    assert list(files(place)) == [manifest.NAME]


def test_a_file_that_cannot_be_deleted_is_an_output_error(tmp_path):
    (tmp_path / "part-00000001-000000.parquet").mkdir()
    with pytest.raises(OutputError, match=r"part-00000001-000000.parquet: cannot be deleted"):
        clear(tmp_path)


def test_a_part_of_parquet_that_was_cut_off_stops_a_resume_with_its_name(place):
    run(place, "parquet", "new", "00000001")
    part = OUTPUT_FORMATS["parquet"].part_files(place)[1]
    part.write_bytes(part.read_bytes()[:-1])
    with pytest.raises(OutputError, match=rf"^{part}: damaged"):
        run(place, "parquet", "resume", "00000002")
    with pytest.raises(OutputError, match=rf"^{part}: damaged"):
        read_chunks(place, 10)
    part.unlink()
    run(place, "parquet", "resume", "00000003")
    assert_holds_every_document_once(place, "parquet")


@pytest.mark.parametrize("output_format", FORMATS)
def test_only_committed_parts_are_shown(place, output_format):
    run(place, output_format, "new", "00000001")
    (place / "more.parquet").write_bytes(b"not ours")
    (place / "more.jsonl").write_bytes(b"not ours")
    (place / "part-00000009-000000.jsonl").write_bytes(b"no note")
    assert read_chunks(place, 1)[1] == 2
    assert len(read_chunks(place, 1)[0]) == 1


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_run_without_parts_shows_no_chunks(place, output_format):
    begun(output_format).write(place)
    assert read_chunks(place, 10) == ([], 0)
