"""An input file that leaves a dataset, in whole parts and in parts that hold others beside it."""

import itertools
import os
from types import SimpleNamespace

import pyarrow as pa
import pytest

from pipelines.corpora.input_files import InputError, InputFile
from pipelines.outputs import folder as output_folder
from pipelines.outputs.counts import Counts
from pipelines.outputs.forgetting import forget
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.part_note import merge_coverage
from pipelines.outputs.sink import PartSink
from pipelines.resuming import mended_files
from pipelines.schema import BROKEN_FILE, CHUNK
from tests.unit.killed_at import killed_at

every_format = pytest.mark.parametrize("output_format", sorted(OUTPUT_FORMATS))
PARTS = [[("a", 0), ("b", 0)], [("b", 1), ("b", 2)], [("b", 3), ("c", 0), ("c", 1)], [("c", 2)]]
LAST = {"a": 0, "b": 3, "c": 2}


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch):
    """A kill loses nothing that was written, so these tests need not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def document(source, ordinal):
    """A document with a chunk; the last of b says that the file broke off."""
    broken = (source, ordinal) == ("b", 3)
    chunk = {"sentence_id": 0, "chunk_id": 0, "start": 0, "end": 1, "text": "x", "entity": "RNA", "score": 0.5}
    return {
        "document_id": f"{source}{ordinal}",
        "source": source,
        "source_version": "1-2",
        "ordinal": ordinal,
        "last": LAST[source] == ordinal,
        "text": None if broken else "x",
        "metadata": [(BROKEN_FILE, "true")] if broken else [],
        "error": "cut off" if broken else None,
        "sentences": [],
        "token_count": 1,
        "chunks": [] if broken else [chunk],
    }


def begin(folder, output_format, without=()):
    folder.mkdir()
    settings, model = {"output_format": output_format}, {"folder": "/m", "sha256": "ab"}
    Manifest(state="running", command=(), settings=settings, model=model, inputs=()).write(folder)
    sink = PartSink(folder, output_format, "00000001")
    for task, places in enumerate(PARTS):
        if rows := [document(*place) for place in places if place[0] not in without]:
            sink.write([pa.Table.from_pylist(rows, schema=CHUNK)], SimpleNamespace(task_idx=task))


def state(folder, output_format):
    """All that the folder says, but for how many words were tagged."""
    module = OUTPUT_FORMATS[output_format]
    notes = output_folder.read_notes(folder, output_format)
    counts = Counts.total(note.counts for note in notes.values())
    return {
        "rows": [
            row for name in sorted(notes) for table in module.read_rows(folder, name) for row in table.to_pylist()
        ],
        "errors": sorted(output_folder.read_errors(folder)),
        "coverage": {name: note.coverage for name, note in notes.items()},
        "counts": (counts.documents, counts.chunks, counts.errors, counts.broken_files),
    }


@every_format
def test_the_dataset_is_as_if_the_file_had_never_been_read(tmp_path, output_format):
    begin(tmp_path / "never", output_format, without="b")
    begin(tmp_path / "forgotten", output_format)
    assert state(tmp_path / "forgotten", output_format)["counts"][3] == 1
    forget(tmp_path / "forgotten", output_format, ["b"])
    assert state(tmp_path / "forgotten", output_format) == state(tmp_path / "never", output_format)


@every_format
def test_killed_at_any_file_operation_it_is_known_as_broken_until_it_is_gone(tmp_path, output_format):
    begin(tmp_path / "never", output_format, without="b")
    for operation in itertools.count():
        folder = tmp_path / str(operation)
        begin(folder, output_format)
        if not killed_at(operation, lambda folder=folder: forget(folder, output_format, ["b"])):
            break
        output_folder.discard_uncommitted(folder, output_format)
        covered = merge_coverage(output_folder.read_notes(folder, output_format).values())
        assert "b" not in covered or covered["b"].broken
        forget(folder, output_format, ["b"])
        output_folder.discard_uncommitted(folder, output_format)
        assert state(folder, output_format) == state(tmp_path / "never", output_format)
    assert operation > 3


def test_only_a_file_that_broke_off_may_be_another_now(tmp_path):
    begin(tmp_path / "o", "parquet")
    covered = merge_coverage(output_folder.read_notes(tmp_path / "o", "parquet").values())

    def file(path, version):
        return InputFile(path=path, format="jsonl", size=1, modified=1, version=version)

    same = [file(path, "1-2") for path in "abc"]
    assert mended_files(same, covered) == []
    assert mended_files([*same[:1], file("b", "1-3"), file("new", "1-3")], covered) == ["b"]
    with pytest.raises(InputError, match=r"c: changed since it was tagged.*--overwrite"):
        mended_files([file("b", "1-3"), file("c", "1-3")], covered)
