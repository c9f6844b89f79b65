import errno
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.outputs import atomic_file
from pipelines.outputs.atomic_file import commit_file, commit_text
from pipelines.outputs.chunk_rows import chunk_rows, error_rows
from pipelines.outputs.counts import Counts
from pipelines.outputs.coverage import Coverage
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.jsonl import to_lines
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote
from pipelines.schema import CHUNK, CHUNK_ROW, ERROR_ROW
from pipelines.storage import StorePath, arrow

NAME = "part-0123abcd-000007"
NOTE = PartNote(
    coverage={"β.jsonl": Coverage(version="1-2", ranges=((0, 2),), end=None)},
    counts=Counts(documents=2, chunks={"protein": 1}),
)
ROWS = [
    {
        "document_id": "a",
        "source": "β.jsonl",
        "ordinal": 0,
        "sentence_id": 0,
        "chunk_id": i,
        "start": 3,
        "end": 7,
        "text": text,
        "entity": "protein",
        "score": 0.9876543,
    }
    for i, text in enumerate(["IL-2", 'α "b"\n\u2028😀', ""])
]


def rows(count=3):
    return pa.Table.from_pylist(ROWS[:count], schema=CHUNK_ROW)


def documents(*rows):
    blank = {"source": "s", "source_version": "", "last": False, "metadata": [], "sentences": [], "token_count": 0}
    table = [
        blank
        | {"document_id": name, "ordinal": i, "text": None if error else "x", "error": error}
        | {"chunks": [ROWS[0] | {"chunk_id": i, "text": text} for i, text in enumerate(texts)]}
        for i, (name, error, texts) in enumerate(rows)
    ]
    return pa.Table.from_pylist(table, schema=CHUNK)


def rows_for(output, count=3):
    if output.SCHEMA == CHUNK_ROW:
        return rows(count)
    texts = [row["text"] for row in ROWS[:count]]
    return output.to_rows(documents(("a", None, texts), ("b", "bad", [])))


@pytest.fixture(params=sorted(OUTPUT_FORMATS))
def output(request):
    return OUTPUT_FORMATS[request.param]


def files(folder):
    paths = [path for path in folder.rglob("*") if isinstance(path, StorePath) or path.is_file()]
    return {str(path): path.read_bytes() for path in paths}


def test_a_part_is_found_with_its_note(output, place):
    output.write_part(place, NAME, [rows_for(output)], NOTE)
    [note_file], [part_file] = output.note_files(place), output.part_files(place)
    assert note_file.stem == part_file.stem == NAME
    assert output.read_note(note_file) == NOTE


def test_a_part_written_again_is_one_part(output, place):
    output.write_part(place, NAME, [rows_for(output, 1)], NOTE)
    before = files(place)
    output.write_part(place, NAME, [rows_for(output, 1)], NOTE)
    assert files(place) == before


def test_a_part_without_chunks_still_has_a_note(output, place):
    output.write_part(place, NAME, [rows_for(output, 0)], NOTE)
    assert [output.read_note(path) for path in output.note_files(place)] == [NOTE]


def test_an_empty_folder_has_no_parts(output, place):
    assert output.note_files(place) == output.part_files(place) == []


@pytest.mark.parametrize(
    "foreign", ["part-00000.parquet", "x.parquet", "x.jsonl", ".part-0123abcd-000007.parquet.1.tmp"]
)
def test_files_of_others_are_no_parts(output, place, foreign):
    output.write_part(place, NAME, [rows_for(output)], NOTE)
    (place / foreign).write_bytes(b"not ours")
    assert [path.stem for path in output.part_files(place)] == [NAME]
    assert [path.stem for path in output.note_files(place)] == [NAME]


def damage_by_truncation(path):
    path.write_bytes(path.read_bytes()[:-7])


def damage_by_emptying(path):
    path.write_bytes(b"")


def damage_by_another_program(path):
    if path.suffix == ".parquet":
        filesystem, name = arrow(path)
        pq.write_table(pa.table({"a": [1]}), name, filesystem=filesystem)
    else:
        path.write_bytes(b'{"a": 1}')


def damage_by_removal(path):
    path.unlink()


@pytest.mark.parametrize(
    "damage", [damage_by_truncation, damage_by_emptying, damage_by_another_program, damage_by_removal]
)
def test_a_damaged_note_names_its_file_and_what_to_do(output, place, damage):
    output.write_part(place, NAME, [rows_for(output)], NOTE)
    [note_file] = output.note_files(place)
    damage(note_file)
    with pytest.raises(OutputError, match=rf"^{note_file}: .*--resume"):
        output.read_note(note_file)


@pytest.mark.parametrize("tables", [0, 1, 3])
def test_rows_are_read_back_as_they_were_written(output, tmp_path, tables):
    written = [rows_for(output, count) for count in range(1, tables + 1)]
    output.write_part(tmp_path, NAME, written, NOTE)
    read = pa.concat_tables([output.SCHEMA.empty_table(), *output.read_rows(tmp_path, NAME)])
    assert read.schema.equals(output.SCHEMA, check_metadata=True)
    assert to_lines(read) == "".join(map(to_lines, written))


def damage_a_column(path):
    if path.suffix == ".parquet":
        pq.write_table(pq.read_table(path).drop_columns("source"), path)
    else:
        path.write_text(path.read_text().replace('"source"', '"sauce"'))


@pytest.mark.parametrize(
    "damage", [damage_by_truncation, damage_by_removal, damage_by_another_program, damage_a_column]
)
def test_a_damaged_part_names_its_file_and_what_to_do(output, tmp_path, damage):
    output.write_part(tmp_path, NAME, [rows_for(output)], NOTE)
    part = output.files_of(tmp_path, NAME)[0]
    damage(part)
    with pytest.raises(OutputError, match=rf"^{part}: damaged .*--resume") as raised:
        list(output.read_rows(tmp_path, NAME))
    assert "\n" not in str(raised.value)


def test_parquet_keeps_schema_and_values(tmp_path):
    OUTPUT_FORMATS["parquet"].write_part(tmp_path, NAME, [rows()], NOTE)
    read = pq.read_table(tmp_path / f"{NAME}.parquet")
    assert read.schema.equals(CHUNK_ROW)
    assert read.equals(rows())


def test_a_parquet_file_whose_footer_has_no_metadata_is_refused(tmp_path):
    path = tmp_path / f"{NAME}.parquet"
    pq.write_table(rows(), path, store_schema=False)
    assert pq.read_metadata(path).metadata is None
    with pytest.raises(OutputError, match="note is missing"):
        OUTPUT_FORMATS["parquet"].read_note(path)


def test_json_lines_are_readable_text_with_six_decimals(tmp_path):
    OUTPUT_FORMATS["jsonl"].write_part(tmp_path, NAME, [rows()], NOTE)
    content = (tmp_path / f"{NAME}.jsonl").read_bytes().decode()
    assert [json.loads(line) for line in content.split("\n")[:-1]] == [row | {"score": 0.987654} for row in ROWS]
    assert "α" in content
    assert "\r" not in content


def test_no_rows_are_no_lines():
    assert to_lines(rows(0)) == ""


def test_json_lines_part_counts_only_together_with_its_note(tmp_path):
    jsonl = OUTPUT_FORMATS["jsonl"]
    jsonl.write_part(tmp_path, NAME, [rows()], NOTE)
    [note] = jsonl.note_files(tmp_path)
    kept = note.read_bytes()
    note.unlink()
    assert jsonl.part_files(tmp_path) == []  # killed before the note
    note.write_bytes(kept)
    assert len(jsonl.part_files(tmp_path)) == 1
    (tmp_path / f"{NAME}.jsonl").unlink()
    assert jsonl.note_files(tmp_path) == []  # someone deleted the part: its documents are not done


def test_a_json_lines_part_is_there_before_its_note(tmp_path, monkeypatch):
    """The other order would let a kill between the two leave documents that count as done and are nowhere."""
    order = []
    for commit in ("commit_file", "commit_text"):
        monkeypatch.setattr(f"pipelines.outputs.jsonl.{commit}", lambda path, _: order.append(path.suffix))
    OUTPUT_FORMATS["jsonl"].write_part(tmp_path, NAME, [rows()], NOTE)
    assert order == [".jsonl", ".json"]


def test_chunk_rows_are_the_chunks_in_order():
    table = documents(("a", None, ["1", "2"]), ("b", None, []), ("c", "broken", []), ("d", None, ["3"]))
    for given in (table, pa.concat_tables([table.slice(0, 1), table.slice(1, 0), table.slice(1)]), table.slice(0)):
        found = chunk_rows(given)
        assert found.schema.equals(CHUNK_ROW)
        assert [(row["document_id"], row["text"], row["chunk_id"]) for row in found.to_pylist()] == [
            ("a", "1", 0),
            ("a", "2", 1),
            ("d", "3", 0),
        ]
    assert chunk_rows(table.slice(1, 3))["document_id"].to_pylist() == ["d"]


@pytest.mark.parametrize("table", [documents(), documents(("a", None, [])), CHUNK.empty_table()])
def test_no_chunks_are_no_rows_of_the_same_schema(table):
    assert chunk_rows(table).equals(CHUNK_ROW.empty_table())


def test_error_rows_are_those_with_an_error():
    found = error_rows(documents(("a", None, ["1"]), ("b", "line 2: not JSON", []), ("c", None, [])))
    assert found.schema.equals(ERROR_ROW)
    assert found.to_pylist() == [{"source": "s", "ordinal": 1, "document_id": "b", "error": "line 2: not JSON"}]


def test_a_file_is_written_whole_under_a_hidden_name_first(tmp_path):
    seen = []

    def write(temporary):
        temporary.write_text("new")
        seen.extend((temporary.name[0], temporary.parent, (tmp_path / "a").exists()))

    commit_file(tmp_path / "a", write)
    assert seen == [".", tmp_path, False]
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "new")]


def test_a_file_in_a_store_is_made_whole_elsewhere_before_its_one_upload(bucket):
    commit_text(bucket / "a", "old")

    def write(temporary):
        temporary.write_text("half of the n")
        assert (bucket / "a").read_bytes() == b"old"
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        commit_file(bucket / "a", write)
    assert [(path.name, path.read_bytes()) for path in bucket.iterdir()] == [("a", b"old")]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("failure", [OSError(errno.ENOSPC, "No space left on device"), Killed()])
def test_a_file_that_fails_half_way_leaves_the_old_one_and_nothing_else(tmp_path, failure):
    def write(temporary):
        temporary.write_text("half of the n")
        raise failure

    commit_text(tmp_path / "a", "old")
    with pytest.raises(type(failure)):
        commit_file(tmp_path / "a", write)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_file_and_folder_are_brought_to_the_disk_in_that_order(tmp_path, monkeypatch):
    log = []
    fsync, replace = os.fsync, type(tmp_path).replace

    def logged_fsync(descriptor):
        log.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", logged_fsync)
    monkeypatch.setattr(type(tmp_path), "replace", lambda *paths: (log.append("rename"), replace(*paths))[1])
    commit_text(tmp_path / "a", "α")
    assert log == ["file", "rename", "folder"]
    assert (tmp_path / "a").read_bytes() == "α".encode()


@pytest.mark.parametrize(("code", "raised"), [(errno.EINVAL, False), (errno.EBADF, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced_is_not_an_error_and_a_failing_disk_is(tmp_path, monkeypatch, code, raised):
    def fsync(_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    if raised:
        with pytest.raises(OSError, match=os.strerror(code)):
            atomic_file._sync_folder(tmp_path)
    else:
        atomic_file._sync_folder(tmp_path)
