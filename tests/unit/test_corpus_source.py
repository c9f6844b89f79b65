import gzip
import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpora import source as corpus_source
from pipelines.corpora.counting import count_records
from pipelines.corpora.input_files import InputFile, find_input_files
from pipelines.corpora.records import RECORD, ReaderOptions
from pipelines.corpora.source import CorpusSource, group_files
from pipelines.schema import DELETED, SUPERSEDED, WITHDRAWN


def sized(*sizes):
    return [InputFile(path=f"{i}.txt", format="text", size=size, version="") for i, size in enumerate(sizes)]


def group_sizes(groups):
    return [[file.size for file in group] for group in groups]


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([], []),
        ([0, 0], [[0, 0]]),
        ([4, 6], [[4, 6]]),
        ([4, 7], [[4], [7]]),
        ([99, 1, 99], [[99], [1], [99]]),
        ([5, 5, 5, 5, 5], [[5, 5], [5, 5], [5]]),
    ],
)
def test_small_files_share_a_task_and_large_ones_have_their_own(sizes, groups):
    assert group_sizes(group_files(sized(*sizes), 10)) == groups


@given(st.lists(st.integers(0, 20), max_size=30), st.integers(1, 30))
def test_every_file_is_in_one_group_in_order(sizes, group_bytes):
    groups = group_files(sized(*sizes), group_bytes)
    assert [file for group in groups for file in group] == sized(*sizes)
    assert all(len(group) == 1 or sum(file.size for file in group) <= group_bytes for group in groups)


def test_a_task_opens_no_more_than_so_many_files(monkeypatch):
    monkeypatch.setattr(corpus_source, "FILES_A_TASK", 2)
    assert group_sizes(group_files(sized(0, 0, 0, 0, 0), 10)) == [[0, 0], [0, 0], [0]]


@pytest.fixture
def files(tmp_path):
    """Two files of three and two records, and one without any."""
    for name, texts in (("a.jsonl", ["a0", "a1", "a2"]), ("b.jsonl", []), ("c.jsonl", ["c0", "c1"])):
        (tmp_path / name).write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return find_input_files([str(tmp_path)])


def read(files, *, block_bytes=1 << 20, covered=None, withdrawn=None):
    """The tables of each read task."""
    source = CorpusSource(
        files, ReaderOptions(), block_bytes=block_bytes, covered=covered or {}, withdrawn=withdrawn or {}
    )
    tasks = pickle.loads(pickle.dumps(source)).get_read_tasks(parallelism=7)  # noqa: S301  # as a worker gets them
    return [list(task()) for task in tasks]


def rows(tasks):
    return [row for tables in tasks for table in tables for row in table.to_pylist()]


def test_tasks_read_every_record_once_in_order(files):
    for block_bytes, task_count in ((1 << 20, 1), (1, 3)):
        tasks = read(files, block_bytes=block_bytes)
        assert len(tasks) == task_count
        assert all(table.schema.equals(RECORD) for tables in tasks for table in tables)
        assert [(row["text"], row["ordinal"], row["last"]) for row in rows(tasks)] == [
            ("a0", 0, False),
            ("a1", 1, False),
            ("a2", 2, True),
            ("c0", 0, False),
            ("c1", 1, True),
        ]


def test_a_row_names_the_file_it_is_from_and_its_version(files):
    by_path = {file.path: file.version for file in files}
    found = rows(read(files))
    assert {row["source"]: row["source_version"] for row in found} == {
        path: version for path, version in by_path.items() if not path.endswith("b.jsonl")
    }


def test_blocks_are_about_as_large_as_asked(files):
    assert [table.num_rows for tables in read(files, block_bytes=3) for table in tables] == [2, 1, 2]


def test_what_is_covered_is_not_read_again(files):
    covered = {files[0].path: ((0, 1), (2, 3)), files[2].path: ((0, 2),)}
    assert [row["text"] for row in rows(read(files, covered=covered))] == ["a1"]


def test_what_is_withdrawn_is_read_without_its_text(files):
    withdrawn = {files[0].path: {SUPERSEDED: np.array([1], np.int32), DELETED: np.array([2], np.int32)}}
    found = rows(read(files, withdrawn=withdrawn))
    assert [(row["text"], row["metadata"]) for row in found][:3] == [
        ("a0", []),
        (None, [(WITHDRAWN, SUPERSEDED)]),
        (None, [(WITHDRAWN, DELETED)]),
    ]
    assert [(row["ordinal"], row["last"]) for row in found][:3] == [(0, False), (1, False), (2, True)]


def test_a_broken_file_is_an_error_row_and_the_next_file_is_read(files, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"\x1f\x8b")
    found = rows(read(files))
    assert [(row["text"], row["error"] is None, row["last"]) for row in found] == [
        (None, False, True),
        ("c0", True, False),
        ("c1", True, True),
    ]


def test_ray_is_told_size_and_files(files):
    source = CorpusSource(files, ReaderOptions(), block_bytes=1 << 20, covered={}, withdrawn={})
    [task] = source.get_read_tasks(parallelism=1)
    total = sum(file.size for file in files)
    assert source.estimate_inmemory_data_size() == task.metadata.size_bytes == total
    assert list(task.metadata.input_files) == [file.path for file in files]
    assert task.schema.equals(RECORD)


PARQUET = pa.table({"text": ["a", "b", "c"]})


@pytest.mark.parametrize(
    ("name", "content", "count"),
    [
        ("a.jsonl", b'{"text": "a"}\n{"text": "b"}\n', 2),
        ("a.jsonl", b'{"text": "a"}\n{"text": "b"}', 2),
        ("a.jsonl", b"", 0),
        ("a.parquet", None, 3),
        ("a.parquet", b"not parquet", 1),  # the record that says so
        ("a.jsonl.gz", gzip.compress(b"{}\n", mtime=0), None),
        ("a.xml", b"<x/>", None),
    ],
)
def test_records_are_counted_where_that_is_cheap(tmp_path, name, content, count):
    path = tmp_path / name
    if content is None:
        pa.parquet.write_table(PARQUET, path)
    else:
        path.write_bytes(content)
    assert count_records(find_input_files([str(path)])) == count


def test_lines_are_counted_across_reads(tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.corpora.counting.CHUNK_BYTES", 3)
    (tmp_path / "a.jsonl").write_bytes(b"1\n2\n345\n6")
    assert count_records(find_input_files([str(tmp_path)])) == 4


def test_a_file_that_went_away_counts_as_the_record_that_says_so(files, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"\x1f\x8b")
    assert count_records(files) == 1 + 0 + 2


def test_one_file_that_cannot_be_counted_makes_the_total_unknown(files, tmp_path):
    (tmp_path / "d.xml").write_text("<x/>")
    assert count_records([*files, *find_input_files([str(tmp_path / "d.xml")])]) is None
