import itertools
import json
import os
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from pipelines.outputs import folder as output_folder
from pipelines.outputs.counts import Counts
from pipelines.outputs.dataset import read_chunks
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import merge_coverage
from pipelines.outputs.sink import PartSink
from pipelines.outputs.withdrawal import withdraw
from pipelines.schema import CHUNK, DELETED, SUPERSEDED, WITHDRAWN
from tests.unit.killed_at import killed_at

FORMATS = sorted(OUTPUT_FORMATS)
every_format = pytest.mark.parametrize("output_format", FORMATS)


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch):
    """A kill loses nothing that was written, so these tests need not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def document(source, ordinal, withdrawn=None):
    """Every third is an error, the others have a chunk or two; or it is a record that was never tagged."""
    bad = ordinal % 3 == 2 and not withdrawn
    chunks = [
        {"sentence_id": 0, "chunk_id": i, "start": i, "end": i + 1, "text": "x", "entity": entity, "score": 0.123456}
        for i, entity in enumerate(["RNA", "DNA"][: 1 + ordinal % 2])
    ]
    return {
        "document_id": f"{source}{ordinal}",
        "source": source,
        "source_version": "1-2",
        "ordinal": ordinal,
        "last": ordinal == 8,
        "text": None if bad or withdrawn else "xx",
        "metadata": [(WITHDRAWN, withdrawn)] if withdrawn else [],
        "error": f"record {ordinal}" if bad else None,
        "sentences": [{"start": 0, "end": 2}],
        "model_use": {"windows": 1, "pieces": 3, "padding": 0, "seconds": 0.5},
        "token_count": 2,
        "chunks": [] if bad or withdrawn else chunks,
    }


LAYOUT = [[("a", 0), ("a", 1), ("a", 2)], [("a", 3), ("a", 4), ("a", 5), ("b", 0)], [("b", i) for i in range(1, 9)],
          [("a", i) for i in range(6, 9)], [("c", i) for i in range(9)]]  # fmt: skip


def begin(folder, output_format, withdrawn=None):
    """A folder of five parts; what is withdrawn was so when it was read."""
    reasons = {
        (source, ordinal): reason
        for source, by_reason in (withdrawn or {}).items()
        for reason, ordinals in by_reason.items()
        for ordinal in ordinals.tolist()
    }
    folder.mkdir()
    Manifest(
        state="running",
        command=(),
        settings={"output_format": output_format},
        model={"folder": "/m", "sha256": "ab"},
        inputs=(),
    ).write(folder)
    sink = PartSink(folder, output_format, "00000001")
    for task, places in enumerate(LAYOUT):
        rows = [document(*place, reasons.get(place)) for place in places]
        sink.write([pa.Table.from_pylist(rows, schema=CHUNK)], SimpleNamespace(task_idx=task))


def of(superseded=(), deleted=()):
    return {SUPERSEDED: np.array(superseded, np.int32), DELETED: np.array(deleted, np.int32)}


FIRST = {"a": of([0, 2, 4], [8]), "b": of(), "c": of(deleted=range(9))}
SECOND = {"a": of([0, 2, 4, 5, 6, 8], [3]), "b": of([8]), "c": of(range(9)), "elsewhere": of([1])}


def state(folder, output_format):
    """All that the folder says, but for what the model took."""
    module = OUTPUT_FORMATS[output_format]
    notes = output_folder.read_notes(folder, output_format)
    counts = Counts.total(note.counts for note in notes.values())
    rows = [row for name in sorted(notes) for table in module.read_rows(folder, name) for row in table.to_pylist()]
    return {
        "rows": sorted(map(repr, rows)),
        "errors": sorted(output_folder.read_errors(folder)),
        "coverage": {name: note.coverage for name, note in notes.items()},
        "counts": (counts.documents, counts.chunks, counts.errors, counts.superseded, counts.deleted),
    }


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@every_format
def test_what_is_withdrawn_later_is_as_if_it_had_been_so_when_it_was_read(tmp_path, output_format):
    begin(tmp_path / "at once", output_format, SECOND)
    begin(tmp_path / "later", output_format)
    withdraw(tmp_path / "later", output_format, FIRST)
    withdraw(tmp_path / "later", output_format, SECOND)
    assert state(tmp_path / "later", output_format) == state(tmp_path / "at once", output_format)
    begin(tmp_path / "half", output_format, FIRST)
    withdraw(tmp_path / "half", output_format, SECOND)
    assert state(tmp_path / "half", output_format) == state(tmp_path / "at once", output_format)


@every_format
def test_rows_errors_counts_and_notes(tmp_path, output_format):
    folder = tmp_path / "o"
    begin(folder, output_format)
    before = state(folder, output_format)
    notes = withdraw(folder, output_format, FIRST)
    assert notes == output_folder.read_notes(folder, output_format)
    after = state(folder, output_format)
    rows, _ = read_chunks(folder, 1000)
    left = {(row["source"], row["ordinal"]) for row in rows}
    assert left == {("a", 1), ("a", 3), ("a", 6), ("a", 7)} | {("b", i) for i in (0, 1, 3, 4, 6, 7)}
    errors = [json.loads(line) for line in output_folder.read_errors(folder)]
    assert {(error["source"], error["ordinal"]) for error in errors} == {("a", 5), ("b", 2), ("b", 5), ("b", 8)}
    assert before["counts"][0] == 27
    assert after["counts"] == (14, {"DNA": 6, "RNA": 10}, 4, 3, 10)
    merged = merge_coverage(output_folder.read_notes(folder, output_format).values())
    assert merged["a"].complete
    assert (merged["a"].documents, merged["a"].records, merged["c"].documents) == (5, 9, 0)
    assert not (folder / "_errors" / "part-00000001-000000.jsonl").exists()


@every_format
def test_parts_without_anything_withdrawn_are_not_touched(tmp_path, output_format):
    folder = tmp_path / "o"
    begin(folder, output_format)
    before = files(folder)
    withdraw(folder, output_format, {"b": of(), "elsewhere": of([0])})
    assert files(folder) == before
    withdraw(folder, output_format, {"b": of([4])})
    changed = {name for name, content in files(folder).items() if content != before[name]}
    assert {name.split("/")[-1].split(".")[0] for name in changed} == {"part-00000001-000002"}


@every_format
def test_nothing_is_done_twice(tmp_path, output_format, monkeypatch):
    folder = tmp_path / "o"
    begin(folder, output_format)
    withdraw(folder, output_format, FIRST)
    monkeypatch.setattr(OUTPUT_FORMATS[output_format], "write_part", None)
    withdraw(folder, output_format, FIRST)


@every_format
def test_a_kill_at_any_file_operation_is_mended_by_the_same_call(tmp_path, output_format):
    begin(tmp_path / "whole", output_format)
    withdraw(tmp_path / "whole", output_format, SECOND)
    wanted = state(tmp_path / "whole", output_format)
    for operation in itertools.count():
        folder = tmp_path / f"{operation}"
        begin(folder, output_format)
        killed = killed_at(operation, lambda: withdraw(folder, output_format, SECOND))  # noqa: B023  # called now
        rows, _ = read_chunks(folder, 1000)  # what another reader finds is whole, and has lost nothing that stays
        assert {("b", i) for i in (0, 1, 3, 4, 6, 7)} <= {(row["source"], row["ordinal"]) for row in rows}
        output_folder.discard_uncommitted(folder, output_format)
        withdraw(folder, output_format, SECOND)
        assert state(folder, output_format) == wanted
        if not killed:
            break
    assert operation > 10


@every_format
def test_a_record_that_would_come_back_is_refused(tmp_path, output_format):
    begin(tmp_path / "o", output_format, FIRST)
    with pytest.raises(OutputError, match=r"^a: a record that was withdrawn has the last word again; .*--overwrite"):
        withdraw(tmp_path / "o", output_format, {"a": of([0, 2], [8])})


@every_format
def test_a_full_disk_is_one_line(tmp_path, output_format, monkeypatch):
    begin(tmp_path / "o", output_format)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(OUTPUT_FORMATS[output_format], "write_part", full)
    with pytest.raises(OutputError, match=r"part-00000001-00000\d cannot be written \(No space left on device\)"):
        withdraw(tmp_path / "o", output_format, FIRST)
