import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipelines.__main__ import command_line
from pipelines.corpora.identity import identify
from pipelines.corpora.input_files import find_input_files
from pipelines.dataset_verification import verify
from pipelines.outputs.compaction import compact
from pipelines.outputs.coverage import Coverage, to_ranges
from pipelines.outputs.folder import committed, read_errors_of, read_notes, write_errors
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote
from pipelines.outputs.sink import PartSink
from pipelines.row_checks import contains
from pipelines.schema import CHUNK_ROW
from pipelines.verdict import LINES_KEPT
from pipelines.verification import check_coverage, union, whole_documents

FORMATS = sorted(OUTPUT_FORMATS)
FLAT = [name for name in FORMATS if OUTPUT_FORMATS[name].SCHEMA == CHUNK_ROW]
TEXTS = ["IL-2 in Jurkat cells. It binds 𝛼B.", "", "NF-kappa B", "RNA", "zwei Wörter", "IL-4 mRNA", "DNA", "x"]
WITHDRAWN, BROKEN = 3, 4
PARTS = [[(0, 0), (0, 1), (0, 2)], [(0, 3), (0, 4), (0, 5), (0, 6)], [(0, 7), (0, 8), (1, 0), (1, 1)],
         [(1, i) for i in range(2, 9)]]  # fmt: skip


@pytest.fixture
def inputs(tmp_path):
    for name in ("a", "b"):
        lines = [json.dumps({"document_id": f"{name}{i}", "text": text}) for i, text in enumerate(TEXTS)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join([*lines, "not JSON"]) + "\n", encoding="utf-8")
    return [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]


@pytest.fixture(params=FORMATS)
def output_format(request):
    return request.param


@pytest.fixture
def folder(tmp_path, inputs, output_format, write_dataset):
    """A dataset of two files in four parts, the third over both; a record of each withdrawn, two of each errors."""
    write_dataset(tmp_path / "chunks", output_format, inputs, PARTS, withdrawn=(WITHDRAWN,), broken=(BROKEN,))
    return tmp_path / "chunks"


def ask(folder, inputs=None):
    files = find_input_files([str(path) for path in inputs]) if inputs else None
    return verify(folder, files, lambda *_: None)


def wrong(folder, inputs=None):
    """The names of the checks that failed, and the lines."""
    verdict = ask(folder, inputs)
    assert verdict.problems == len(verdict.lines) or len(verdict.lines) == LINES_KEPT
    assert not [line for line in verdict.lines if "\n" in line]
    return {check.name for check in verdict.checks if check.problems}, "\n".join(verdict.lines)


MANIFEST, COVERED = "the manifest is true", "every record is covered once"
READABLE, ROWS = "the parts are readable", "the rows are those of their records"
SAME, READ = "the inputs are those that were tagged", "every record and every chunk is in its input"


def test_a_true_dataset_is_true_in_every_respect(folder, inputs):
    verdict = ask(folder, inputs)
    assert verdict.lines == verdict.remarks == []
    assert [(check.name, check.looked_at) for check in verdict.checks] == [
        (READABLE, "4 parts"), (MANIFEST, "2 input files"), (COVERED, "18 records"), (ROWS, "32 chunks"),
        (SAME, "2 files"), (READ, "18 records"),
    ]  # fmt: skip


def test_a_compact_dataset_is_true(folder, inputs):
    compact(folder, 1 << 20, lambda *_: None)
    assert wrong(folder, inputs) == (set(), "")
    assert len(committed(folder, Manifest.read(folder).settings["output_format"])) == 1


def part(folder, output_format, number):
    """Name, files and note of a part."""
    name = sorted(committed(folder, output_format))[number]
    return name, OUTPUT_FORMATS[output_format].files_of(folder, name), read_notes(folder, output_format)[name]


def test_a_deleted_part_is_missing(folder, inputs, output_format):
    name, files, _ = part(folder, output_format, 1)
    for path in [*files, folder / "_errors" / f"{name}.jsonl"]:
        path.unlink()
    names, lines = wrong(folder, inputs)
    assert names == {MANIFEST, COVERED, READ}
    assert f"{inputs[0]}: records 4 to 7 are missing; `cytotag tag ... --resume` tags them" in lines
    assert f"{inputs[0]}: records 4 to 7 are missing (a3, a4, a5, a6); " in lines
    assert f"_manifest.json: counts 8 documents of {inputs[0]}, the parts hold 5; " in lines


def test_the_last_part_of_a_file_is_missing(folder, output_format, inputs):
    part(folder, output_format, 3)[1][-1].unlink()
    names, lines = wrong(folder)
    assert names == {MANIFEST, COVERED}
    assert f"{inputs[1]}: the records from 3 on are missing; " in lines


def test_all_parts_of_a_file_are_missing(folder, output_format, inputs):
    for number in (3, 2):
        part(folder, output_format, number)[1][-1].unlink()
    assert f"{inputs[1]}: all its records are missing; " in wrong(folder)[1]


def test_a_doubled_part_is_double(folder, inputs, output_format):
    module = OUTPUT_FORMATS[output_format]
    name, _, note = part(folder, output_format, 0)
    module.write_part(folder, "part-00000009-000000", module.read_rows(folder, name), note)
    names, lines = wrong(folder, inputs)
    assert {MANIFEST, COVERED} <= names
    assert f"{inputs[0]}: records 1 to 3 are in {name} and part-00000009-000000; move one of the parts" in lines


def rewrite(folder, output_format, number, change):
    """Writes a part again with its own note, and its rows (as Python objects) changed."""
    module = OUTPUT_FORMATS[output_format]
    name, _, note = part(folder, output_format, number)
    rows = [row for table in module.read_rows(folder, name) for row in table.to_pylist()]
    module.write_part(folder, name, [pa.Table.from_pylist(change(rows), schema=module.SCHEMA)], note)
    return name


def in_chunk(**changes):
    """Changes the third chunk of the part, which is the third of record 1."""

    def change(rows):
        nested = "chunks" in rows[0]
        place, at = (rows[0]["chunks"], 2) if nested else (rows, 2)
        place[at] = {**place[at], **changes}
        return rows

    return change


def without_a_chunk(rows):
    (rows[0].get("chunks", rows)).pop(2)
    return rows


def with_a_chunk_twice(rows):
    place = rows[0].get("chunks", rows)
    place.insert(3, {**place[2], "chunk_id": 3})
    for number, row in enumerate(place[4:6], 4):
        row["chunk_id"] = number
    return rows


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (in_chunk(text="X"), None),  # as long, and not the text: to be seen in the text alone
        (in_chunk(text="XX"), "a chunk has not the length that its offsets say"),
        (in_chunk(start=9, end=9, text=""), "start and end of a chunk are not offsets"),
        (in_chunk(start=-1, end=0), "start and end of a chunk are not offsets"),
        (in_chunk(score=1.5), "the score of a chunk is not within 0 and 1"),
        (in_chunk(score=-0.5), "the score of a chunk is not within 0 and 1"),
        (in_chunk(chunk_id=7), "chunk_id does not count up from 0"),
        (without_a_chunk, "chunk_id does not count up from 0"),
        (with_a_chunk_twice, "a chunk stands twice"),
    ],
    ids=["text", "length", "empty", "negative", "high", "low", "chunk_id", "lost", "twice"],
)
def test_an_altered_row_is_named(folder, inputs, output_format, change, message):
    name = rewrite(folder, output_format, 0, change)
    names, lines = wrong(folder, inputs)
    if message:
        assert ROWS in names
        assert f"{name}: {inputs[0]}, record 1 (a0): {message}; move the part elsewhere, and " in lines
    else:
        assert names == ({READ} if output_format in FLAT else {READ, ROWS})
        assert f"{inputs[0]}, record 1 (a0): the chunk 'X' is 'J' at [8, 9) of its text; " in lines


def test_a_count_of_an_entity_that_is_not_there(folder, output_format):
    name = rewrite(folder, output_format, 0, in_chunk(entity="RNA"))
    names, lines = wrong(folder)
    assert names == {ROWS}
    assert f"{name}: holds 1 chunks of RNA, its note counts 0; " in lines


def of_another_record(**changes):
    def change(rows):
        return [{**row, **changes} if row["ordinal"] == 2 else row for row in rows]

    return change


@pytest.mark.parametrize("changes", [{"ordinal": 5}, {"ordinal": WITHDRAWN}, {"source": "/elsewhere.jsonl"}], ids=str)
def test_rows_of_a_record_that_the_part_does_not_cover(folder, output_format, changes):
    name = rewrite(folder, output_format, 0, of_another_record(**changes))
    names, lines = wrong(folder)
    assert names == {ROWS}
    assert f"{name}: {changes.get('source', '')}" in lines
    assert "(a2): is not a record of the part, and has chunks; " in lines


@pytest.mark.parametrize("output_format", FLAT, indirect=True)
def test_rows_that_stand_in_two_places(folder, output_format):
    name = rewrite(folder, output_format, 0, lambda rows: [*rows, *(row for row in rows if row["ordinal"] == 0)])
    assert (
        f"{name}: {part(folder, output_format, 0)[2].coverage.popitem()[0]}, record 1: its chunks stand in more"
        in (wrong(folder)[1])
    )


@pytest.mark.parametrize("output_format", ["documents"], indirect=True)
@pytest.mark.parametrize(
    "change",
    [lambda rows: rows[:-1], lambda rows: [*rows, rows[1]], lambda rows: [rows[0] | {"error": "x"}, *rows[1:]]],
    ids=["lost", "twice", "error"],
)
def test_a_document_that_is_lost_or_double_or_no_error(folder, output_format, change):
    name = rewrite(folder, output_format, 0, change)
    names, lines = wrong(folder)
    assert names == {ROWS}
    assert f"{name}: holds " in lines or f"{name}: its errors in " in lines


def test_a_truncated_part_is_unreadable(folder, inputs, output_format):
    _name, files, _ = part(folder, output_format, 0)
    files[0].write_bytes(files[0].read_bytes()[:-9])
    names, lines = wrong(folder, inputs)
    assert (READABLE if files[0].suffix == ".parquet" else ROWS) in names
    assert f"{files[0]}: damaged (" in lines


def test_damaged_bytes_within_a_part_are_noticed(folder, output_format):
    _, files, _ = part(folder, output_format, 3)
    content = bytearray(files[0].read_bytes())
    content[40:80] = bytes(40)
    files[0].write_bytes(content)
    assert ROWS in wrong(folder)[0]


def test_a_damaged_merged_part_is_unreadable(folder, output_format):
    compact(folder, 1 << 20, lambda *_: None)
    _, files, _ = part(folder, output_format, 0)
    files[-1].write_bytes(b"{")
    names, lines = wrong(folder)
    assert READABLE in names
    assert f"{files[-1]}: damaged" in lines


def change_manifest(folder, **changes):
    replace(Manifest.read(folder), **changes).write(folder)


def test_a_manifest_with_wrong_counts(folder, inputs):
    held = Manifest.read(folder)
    first = {**held.inputs[0], "chunks": 99, "superseded": 0}
    change_manifest(folder, counts={**held.counts, "documents": 7}, inputs=(first, held.inputs[1]))
    names, lines = wrong(folder)
    assert names == {MANIFEST}
    assert lines.splitlines() == [
        f"_manifest.json: counts {what}; `cytotag tag ... --resume` writes it again"
        for what in (
            "7 documents, the parts hold 16",
            f"99 chunks of {inputs[0]}, the parts hold 16",
            f"0 superseded of {inputs[0]}, the parts hold 1",
        )
    ]


def test_a_manifest_without_one_of_the_inputs(folder, inputs):
    change_manifest(folder, inputs=Manifest.read(folder).inputs[:1])
    names, lines = wrong(folder)
    assert names == {COVERED}
    assert f"{inputs[1]}: is in part-00000001-000002 and not among the inputs of the manifest; " in lines


def test_a_run_that_was_killed_is_not_finished_and_what_is_missing_is_said(folder, inputs, output_format):
    inputs_at_start = tuple(
        {name: one[name] for name in ("path", "format", "size", "version")} for one in Manifest.read(folder).inputs
    )
    change_manifest(folder, state="running", counts={}, inputs=inputs_at_start)
    part(folder, output_format, 3)[1][0].unlink()
    names, lines = wrong(folder)
    assert names == {MANIFEST, COVERED}
    assert f"{folder}: the run is not finished; go on with it with --resume" in lines
    assert f"{inputs[1]}: the records from 3 on are missing; " in lines


def test_a_folder_without_a_manifest_is_no_dataset(tmp_path):
    with pytest.raises(OutputError, match="holds no cytotag run"):
        ask(tmp_path)


def lose_an_error(rows):
    return rows.slice(1)


def double_an_error(rows):
    return pa.concat_tables([rows, rows.slice(0, 1)])


def move_an_error(rows):
    changed = [rows.to_pylist()[0] | {"ordinal": 0}, *rows.to_pylist()[1:]]
    return pa.Table.from_pylist(changed, schema=rows.schema)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose_an_error, "lists 0 records of"),
        (double_an_error, "record 5: stands 2 times"),
        (move_an_error, "record 1 (a4): is not a record of the part"),
    ],
)
def test_error_rows_that_do_not_match(folder, output_format, change, message):
    name, _, _ = part(folder, output_format, 1)
    write_errors(folder, name, change(read_errors_of(folder, name)))
    names, lines = wrong(folder)
    assert names == {ROWS}
    assert f"_errors/{name}.jsonl: " in lines
    assert message in lines


def test_an_error_that_has_chunks(folder, output_format):
    name, _, _ = part(folder, output_format, 1)
    rows = read_errors_of(folder, name)
    [row] = rows.to_pylist()
    second = row | {"ordinal": 5, "document_id": "a5"}
    write_errors(folder, name, pa.Table.from_pylist([row, second], schema=rows.schema))
    assert "record 6 (a5): could not be tagged, and has chunks; " in wrong(folder)[1]


def test_a_damaged_error_file_is_unreadable(folder, output_format):
    name, _, _ = part(folder, output_format, 1)
    (folder / "_errors" / f"{name}.jsonl").write_text("{")
    assert f"{name}.jsonl: damaged" in wrong(folder)[1]


def test_inputs_that_changed_or_were_never_tagged_or_are_not_named(folder, inputs, tmp_path):
    inputs[0].write_text('{"text": "other"}')
    (tmp_path / "c.jsonl").write_text('{"text": "new"}')
    names, lines = wrong(folder, [inputs[0], tmp_path / "c.jsonl"])
    assert names == {SAME}
    assert f"{inputs[0]}: changed since it was tagged; " in lines
    assert f"{tmp_path}/c.jsonl: is not in the dataset; " in lines
    assert ask(folder, inputs[:1]).remarks == [f"{inputs[1]}: is in the dataset, and not among the inputs named"]


def test_a_record_that_cannot_be_read_and_is_no_error(folder, inputs, output_format):
    name, _, note = part(folder, output_format, 3)
    (folder / "_errors" / f"{name}.jsonl").unlink()
    names, lines = wrong(folder, inputs)
    assert names == {ROWS, READ}
    assert f"{inputs[1]}, record 9 (b.jsonl:9): cannot be read (line 9" in lines
    assert note.counts.errors == 2


def test_a_file_with_fewer_records_than_the_dataset_covers(folder, inputs):
    inputs[0].write_text("\n".join(inputs[0].read_text().splitlines()[:3]))
    held = Manifest.read(folder)
    [version] = {file.version for file in identify(find_input_files([str(inputs[0])]), []).files}
    change_manifest(folder, inputs=({**held.inputs[0], "version": version}, held.inputs[1]))
    assert f"{inputs[0]}: has 3 records, the dataset covers 9; " in wrong(folder, inputs)[1]


def test_a_file_without_records_is_complete(tmp_path, write_dataset):
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "a.jsonl").write_text('{"text": "DNA"}')
    write_dataset(tmp_path / "chunks", "parquet", [tmp_path / "a.jsonl"], [[(0, 0)]])
    held = Manifest.read(tmp_path / "chunks")
    [empty] = identify(find_input_files([str(tmp_path / "empty.jsonl")]), []).files
    nothing = dict.fromkeys(("documents", "chunks", "errors", "superseded", "deleted"), 0)
    change_manifest(tmp_path / "chunks", inputs=(*held.inputs, {**vars(empty), **nothing, "complete": True}))
    assert wrong(tmp_path / "chunks", [tmp_path / "a.jsonl", tmp_path / "empty.jsonl"]) == (set(), "")


def test_the_first_lines_are_kept_and_all_are_counted(folder, output_format):
    rewrite(folder, output_format, 3, lambda _: [])
    for number in range(30):
        module = OUTPUT_FORMATS[output_format]
        name, _, note = part(folder, output_format, 0)
        module.write_part(folder, f"part-00000009-{number:06d}", module.read_rows(folder, name), note)
    verdict = ask(folder)
    assert len(verdict.lines) == LINES_KEPT
    assert verdict.problems > 30


def test_the_command(folder, inputs, output_format):
    def command(*arguments):
        return CliRunner().invoke(command_line(), ["verify", str(folder), *map(str, arguments)])

    true = command("--against", *inputs)
    assert true.exit_code == 0
    assert true.output.count("true") == 7
    part(folder, output_format, 1)[1][0].unlink()
    false = command()
    assert false.exit_code == 1
    assert f"{inputs[0]}: records 4 to 7 are missing;" in false.output
    assert command("--against").exit_code == command(*inputs).exit_code == 1


@given(st.lists(st.sets(st.integers(0, 20), min_size=1), max_size=4), st.integers(1, 22))
def test_coverage_is_faulted_just_where_it_is_not_each_record_once(parts, end):
    notes = {
        f"part-{number}": PartNote(
            coverage={"a": Coverage(version="1", ranges=to_ranges(part), end=end if end - 1 in part else None)},
            counts=None,
        )
        for number, part in enumerate(parts)
    }
    lines = list(check_coverage([{"path": "a", "version": "1"}], notes))
    assert (not lines) == (sorted(ordinal for part in parts for ordinal in part) == list(range(end)))
    if parts:
        assert union(notes.values())["a"].ranges == to_ranges(set().union(*parts))


@given(st.sets(st.integers(0, 30)), st.lists(st.integers(0, 40)))
def test_contains(members, asked):
    found = contains(to_ranges(members), np.array(asked, dtype=np.int64))
    assert found.tolist() == [one in members for one in asked]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=30), st.sets(st.integers(0, 30)))
def test_no_document_is_split_between_tables(keys, cuts):
    table = pa.table({"source": [key[0] for key in keys], "ordinal": [key[1] for key in keys]},
                     schema=pa.schema([("source", pa.string()), ("ordinal", pa.int64())]))  # fmt: skip
    places = sorted({cut for cut in cuts if cut < len(keys)} | {0, len(keys)})
    tables = list(whole_documents(table.slice(a, b - a) for a, b in itertools.pairwise(places)))
    assert pa.concat_tables([table.schema.empty_table(), *tables]) == table
    for one, following in itertools.pairwise(tables):
        assert one.slice(one.num_rows - 1) != following.slice(0, 1)


def test_a_long_part_is_held_in_pieces(tmp_path, write_dataset, monkeypatch):
    monkeypatch.setattr("pipelines.outputs.parquet.ROWS_AT_ONCE", 3)
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": "DNA RNA " * 3}) + "\n" for _ in range(5)))
    write_dataset(tmp_path / "chunks", "parquet", [tmp_path / "a.jsonl"], [[(0, i) for i in range(5)]])
    assert wrong(tmp_path / "chunks", [tmp_path / "a.jsonl"]) == (set(), "")


def test_a_sink_that_writes_the_same_part_again_leaves_the_dataset_true(folder, inputs, output_format, write_dataset):
    other = folder.parent / "other"
    documents = write_dataset(other, output_format, inputs, [], withdrawn=(WITHDRAWN,), broken=(BROKEN,))
    sink = PartSink(folder, output_format, "00000001")
    sink.write([documents[0].slice(ordinal, 1) for _, ordinal in PARTS[0]], SimpleNamespace(task_idx=0))
    assert wrong(folder, inputs) == (set(), "")


def test_a_dataset_of_a_version_that_did_not_count_truncated_words_is_true(folder):
    counts = dict(Manifest.read(folder).counts)
    assert counts.pop("truncated") == 0
    change_manifest(folder, counts=counts)
    assert wrong(folder) == (set(), "")
