import itertools
import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipelines.__main__ import command_line
from pipelines.outputs.chunk_rows import row_groups
from pipelines.outputs.compaction import Size, compact, to_groups
from pipelines.outputs.counts import Counts
from pipelines.outputs.folder import claim, committed, discard_uncommitted, prepare, read_errors, read_notes
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.lock import LOCK_FILES
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import is_merged, merge_coverage
from pipelines.outputs.sink import PartSink
from pipelines.schema import CHUNK, SUPERSEDED, WITHDRAWN
from tests.unit.killed_at import killed_at

FORMATS = sorted(OUTPUT_FORMATS)
SOURCES = ("b.jsonl", "a.jsonl")  # as the user named them
DOCUMENTS = 6
MIB = 1 << 20


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch):
    """A kill loses nothing that was written, so these tests need not wait for the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


def document(source, ordinal):
    """One record of six: 1 is an error, 2 is superseded, the others have a chunk or more."""
    chunk = {"sentence_id": 0, "start": 0, "end": 1, "text": "x", "entity": "RNA", "score": 0.123456}
    row = {
        "document_id": f"{source} {ordinal}",
        "source": source,
        "source_version": "1-2",
        "ordinal": ordinal,
        "last": ordinal == DOCUMENTS - 1,
        "text": None if ordinal in (1, 2) else "xyz",
        "metadata": [(WITHDRAWN, SUPERSEDED)] if ordinal == 2 else [("year", "1999")],
        "error": "line 1: not JSON" if ordinal == 1 else None,
        "sentences": [] if ordinal in (1, 2) else [{"start": 0, "end": 3}],
        "token_count": 1,
        "chunks": [] if ordinal in (1, 2) else [{**chunk, "chunk_id": i} for i in range(ordinal + 1)],
    }
    return pa.Table.from_pylist([row], schema=CHUNK)


def manifest(output_format, state):
    return Manifest(
        state=state,
        command=(),
        settings={"output_format": output_format},
        model={"folder": "/m", "sha256": "ab"},
        inputs=tuple({"path": source} for source in SOURCES),
    )


def run(folder, output_format, mode="new", run_id="00000001", sources=SOURCES):
    """What a job does to its folder, without Ray; a part a document."""
    prepare(folder, mode)
    manifest(output_format, "running").write(folder)
    discard_uncommitted(folder, output_format)
    covered = merge_coverage(read_notes(folder, output_format).values())
    sink, tasks = PartSink(folder, output_format, run_id), itertools.count()
    for source in reversed(sources):
        done = [i for start, stop in covered[source].ranges for i in range(start, stop)] if source in covered else []
        for ordinal in sorted(set(range(DOCUMENTS)) - set(done), reverse=True):
            sink.write([document(source, ordinal)], SimpleNamespace(task_idx=next(tasks)))
    discard_uncommitted(folder, output_format)
    manifest(output_format, "finished").write(folder)


def content(folder, output_format):
    """What a reader of the folder gets: coverage, rows and errors, but for their order."""
    notes = read_notes(folder, output_format)
    module = OUTPUT_FORMATS[output_format]
    rows = [row for name in notes for table in module.read_rows(folder, name) for row in table.to_pylist()]
    return (
        merge_coverage(notes.values()),
        Counts.total(note.counts for note in notes.values()),
        sorted(rows, key=repr),
        sorted(read_errors(folder)),
    )


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - set(LOCK_FILES)


def quiet(*_):
    pass


@pytest.mark.parametrize("output_format", FORMATS)
def test_all_small_parts_become_one_with_the_same_content(tmp_path, output_format):
    run(tmp_path, output_format)
    before, told = content(tmp_path, output_format), []

    sizes = compact(tmp_path, MIB, lambda *numbers: told.append(numbers))

    assert content(tmp_path, output_format) == before
    [name] = committed(tmp_path, output_format)
    assert is_merged(name)
    parts = len(SOURCES) * DOCUMENTS
    part, errors = OUTPUT_FORMATS[output_format].files_of(tmp_path, name), f"_errors/{name}.jsonl"
    assert files(tmp_path) == {"_manifest.json", errors, *(str(path.relative_to(tmp_path)) for path in part)}
    assert (sizes[0].parts, sizes[1]) == (parts, Size(parts=1, bytes=part[0].stat().st_size))
    assert told == [(0, parts)]


@pytest.mark.parametrize("output_format", FORMATS)
def test_rows_come_in_the_order_of_the_inputs_and_of_their_records(tmp_path, output_format):
    run(tmp_path, output_format)
    compact(tmp_path, MIB, quiet)
    [name] = committed(tmp_path, output_format)
    rows = [row for table in OUTPUT_FORMATS[output_format].read_rows(tmp_path, name) for row in table.to_pylist()]
    places = [(SOURCES.index(row["source"]), row["ordinal"], row.get("chunk_id")) for row in rows]
    assert places == sorted(places)
    assert len(places) > DOCUMENTS


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_compact_dataset_resumes_and_takes_new_files(tmp_path, output_format):
    run(tmp_path, output_format, sources=SOURCES[:1])
    compact(tmp_path, MIB, quiet)
    merged = set(committed(tmp_path, output_format))
    run(tmp_path, output_format, "resume", "00000002", sources=SOURCES)
    run(tmp_path / "whole", output_format)
    assert content(tmp_path, output_format) == content(tmp_path / "whole", output_format)
    assert merged < set(committed(tmp_path, output_format))
    compact(tmp_path, MIB, quiet)
    assert content(tmp_path, output_format) == content(tmp_path / "whole", output_format)
    assert len(committed(tmp_path, output_format)) == 1


def test_nothing_to_merge_changes_nothing(tmp_path):
    run(tmp_path, "parquet")
    before = files(tmp_path)
    first, second = compact(tmp_path, 1, quiet)
    assert first == second
    assert files(tmp_path) == before
    manifest("parquet", "finished").write(tmp_path / "..")
    assert compact(tmp_path / "..", MIB, quiet) == (Size(parts=0, bytes=0), Size(parts=0, bytes=0))


def test_the_command(tmp_path):
    run(tmp_path, "parquet")
    done = CliRunner().invoke(command_line(), ["compact", str(tmp_path), "--part-size", "1"])
    assert done.exit_code == 0, done.output
    assert ["parts", "12", "1"] in [line.split() for line in done.output.splitlines()]
    assert len(committed(tmp_path, "parquet")) == 1


def test_a_folder_that_another_process_holds_is_refused(tmp_path):
    run(tmp_path, "parquet")
    with claim(tmp_path), pytest.raises(OutputError, match="another cytotag run"):
        compact(tmp_path, MIB, quiet)
    assert len(committed(tmp_path, "parquet")) == len(SOURCES) * DOCUMENTS


@pytest.mark.parametrize("output_format", FORMATS)
def test_killed_at_any_file_operation_nothing_is_lost_or_double(tmp_path, output_format):
    run(tmp_path / "whole", output_format)
    whole = content(tmp_path / "whole", output_format)
    two_groups = max(OUTPUT_FORMATS[output_format].files_of(tmp_path / "whole", name)[0].stat().st_size
                     for name in committed(tmp_path / "whole", output_format)) * DOCUMENTS  # fmt: skip
    for operation in itertools.count():
        folder = tmp_path / f"{operation}"
        run(folder, output_format)
        killed = killed_at(operation, lambda: compact(folder, two_groups, quiet))  # noqa: B023  # called now
        assert content(folder, output_format) == whole  # as it lies there
        if operation % 2:
            run(folder, output_format, "resume", "00000002")
        else:
            compact(folder, two_groups, quiet)
        assert content(folder, output_format) == whole
        assert not list(folder.rglob(".*"))
        stems = {Path(name).stem for name in files(folder)} - {"_manifest"}
        assert stems == set(committed(folder, output_format))
        if not killed:
            break
    assert operation > 2 * DOCUMENTS


def test_a_run_that_is_not_finished_is_refused(tmp_path):
    run(tmp_path, "parquet")
    manifest("parquet", "running").write(tmp_path)
    before = files(tmp_path)
    with pytest.raises(OutputError, match=rf"^{tmp_path}: its run goes on.*--resume"):
        compact(tmp_path, MIB, quiet)
    assert files(tmp_path) == before


@pytest.mark.parametrize("output_format", FORMATS)
def test_a_part_that_does_not_hold_what_its_note_says_is_not_merged(tmp_path, output_format):
    run(tmp_path, output_format)
    module = OUTPUT_FORMATS[output_format]
    name = next(name for name, note in read_notes(tmp_path, output_format).items() if note.counts.chunks)
    rows = pa.concat_tables(module.read_rows(tmp_path, name))
    module.write_part(tmp_path, name, [rows, rows], read_notes(tmp_path, output_format)[name])
    before = committed(tmp_path, output_format)
    with pytest.raises(OutputError, match=rf"^{tmp_path}: {name} does not hold what its note says; see `cytotag ver"):
        compact(tmp_path, MIB, quiet)
    assert committed(tmp_path, output_format) == before


def test_parts_that_cover_a_record_twice_are_refused(tmp_path):
    run(tmp_path, "parquet")
    PartSink(tmp_path, "parquet", "00000002").write([document("a.jsonl", 0)], SimpleNamespace(task_idx=0))
    with pytest.raises(OutputError, match="two parts hold record 1"):
        compact(tmp_path, MIB, quiet)


def test_a_run_that_begins_meanwhile_stops_it(tmp_path):
    run(tmp_path, "parquet")

    def begin(*_):
        manifest("parquet", "running").write(tmp_path)

    with pytest.raises(OutputError, match="--resume"):
        compact(tmp_path, 20_000, begin)
    whole = tmp_path / "whole"
    run(whole, "parquet")
    assert content(tmp_path, "parquet") == content(whole, "parquet")


@given(st.lists(st.integers(0, 30), max_size=40), st.integers(1, 60))
def test_groups_are_successive_and_no_larger_than_allowed(sizes, most):
    named = {str(number): size for number, size in enumerate(sizes)}
    groups = to_groups(named, most)
    numbers = [int(name) for group in groups for name in group]
    assert numbers == sorted(set(numbers))
    for group in groups:
        assert len(group) > 1
        assert int(group[-1]) - int(group[0]) == len(group) - 1
        assert sum(named[name] for name in group) <= most
        assert max(named[name] for name in group) <= most // 2
    alone = [number for number in range(len(sizes)) if number not in numbers and sizes[number] <= most // 2]
    assert not [one for one in alone if one + 1 in alone and sizes[one] + sizes[one + 1] <= most]


def test_no_more_than_a_row_group_stands_in_memory(monkeypatch):
    monkeypatch.setattr("pipelines.outputs.chunk_rows.ROW_GROUP_BYTES", 100)
    tables = (pa.table({"a": pa.array([number] * 5, pa.int64())}) for number in range(10))
    made = list(row_groups(tables))
    assert [table.num_rows for table in made] == [15, 15, 15, 5]
    assert pa.concat_tables(made)["a"].to_pylist() == [number for number in range(10) for _ in range(5)]
    assert list(row_groups([])) == []


def test_a_merged_note_says_what_it_replaces_and_survives_json(tmp_path):
    run(tmp_path, "jsonl")
    names = set(committed(tmp_path, "jsonl"))
    compact(tmp_path, MIB, quiet)
    [(name, note)] = read_notes(tmp_path, "jsonl").items()
    assert set(note.replaces) == names
    assert len(note.to_json()) < 600 + 30 * len(names)
    assert json.loads(note.to_json())["coverage"]["a.jsonl"]["superseded"] == [[2, 3]]
    assert replace(note, replaces=()).to_json().count("replaces") == 0
    assert is_merged(name)
