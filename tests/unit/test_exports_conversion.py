"""A conversion as a whole: which files there are, when, and what is counted."""

import json
import resource

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.exports.conversion import convert
from pipelines.exports.folder import NOTE
from pipelines.exports.formats import ExportFormat
from pipelines.outputs.output_error import OutputError
from pipelines.schema import DOCUMENT_ROW

FORMATS = ExportFormat.__args__


@pytest.fixture
def corpus(document_rows):
    """`corpus(7)`: seven documents with a chunk each, in tables of three."""

    def build(count):
        documents = [{"text": f"IL-{n}", "spans": [(0, 4, "protein")]} for n in range(count)]
        table = document_rows(documents)
        return [table.slice(start, 3) for start in range(0, count, 3)]

    return build


def files_in(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def note_of(folder):
    return json.loads((folder / NOTE).read_text(encoding="utf-8"))


@pytest.mark.parametrize("to", FORMATS)
def test_files_hold_so_many_documents_and_no_more(to, corpus, tmp_path):
    shown = []
    done = convert(corpus(7), tmp_path / "out", to, dataset="chunks", documents_per_file=2, show=shown.append)

    names = [name for name in files_in(tmp_path / "out") if name != NOTE]
    if to == "brat":
        numbers = [(n // 2 + 1, n) for n in range(7)]
        assert names == [f"chunks-{file:05}/d{n}{suffix}" for file, n in numbers for suffix in (".ann", ".txt")]
    else:
        assert [name.partition(".")[0] for name in names] == [f"chunks-{number:05}" for number in range(1, 5)]
    if to == "documents":
        tables = [pq.read_table(tmp_path / "out" / name) for name in names]
        assert [table.num_rows for table in tables] == [2, 2, 2, 1]
        assert pa.concat_tables(tables).equals(pa.concat_tables(corpus(7)))
    assert (done.documents, done.chunks, done.files, done.errors) == (7, 7, len(names), 0)
    assert shown == [3, 6, 7]
    assert note_of(tmp_path / "out") | {"cytotag": ""} == {
        "state": "finished",
        "dataset": "chunks",
        "format": to,
        "cytotag": "",
        "documents": 7,
        "chunks": 7,
        "files": len(names),
        "errors": 0,
    }


@pytest.mark.parametrize("to", FORMATS)
def test_documents_in_error_are_counted_and_written_where_there_is_a_place(to, document_rows, tmp_path):
    documents = [{"text": "", "error": f"line {n}: not JSON"} for n in range(7)]
    table = document_rows([*documents, {"document_id": "good", "text": "IL-2"}])
    done = convert([table], tmp_path / "out", to, dataset="chunks")
    assert done.errors == 7
    assert done.reasons == [f"corpus.jsonl: line {n}: not JSON" for n in range(5)]
    assert done.documents == (8 if to == "documents" else 1)
    assert note_of(tmp_path / "out")["errors"] == 7
    written = b"".join((tmp_path / "out" / name).read_bytes() for name in files_in(tmp_path / "out") if name != NOTE)
    assert (b"not JSON" in written) == (to == "documents")


def test_a_file_is_whole_when_no_more_than_a_table_of_the_next_is_taken(corpus, tmp_path):
    seen = []

    def tables():
        for table in corpus(9):
            seen.append([name for name in files_in(tmp_path / "out") if name.startswith("chunks")])
            yield table

    convert(tables(), tmp_path / "out", "csv", dataset="chunks", documents_per_file=3)
    assert seen == [[], [], ["chunks-00001.csv"]]


class Killed(BaseException):
    pass


@pytest.mark.parametrize("to", FORMATS)
def test_what_is_stopped_leaves_whole_files_and_says_that_it_is_not_all(to, corpus, tmp_path):
    def broken():
        yield from corpus(6)[:1]
        yield corpus(6)[1].slice(0, 1)
        raise Killed

    with pytest.raises(Killed):
        convert(broken(), tmp_path / "out", to, dataset="chunks", documents_per_file=3)
    left = files_in(tmp_path / "out")
    assert note_of(tmp_path / "out") == {"state": "running"}
    assert not [name for name in left if name.endswith(".tmp")]
    if to != "brat":  # a file a document
        assert [name.partition(".")[0] for name in left] == [NOTE.partition(".")[0], "chunks-00001"]

    with pytest.raises(OutputError, match="holds a conversion; replace it with --overwrite"):
        convert(corpus(1), tmp_path / "out", to, dataset="chunks")
    assert files_in(tmp_path / "out") == left
    again = convert(corpus(1), tmp_path / "out", to, dataset="chunks", overwrite=True)
    assert len(files_in(tmp_path / "out")) == again.files + 1


@pytest.mark.parametrize("to", FORMATS)
def test_a_file_is_not_there_before_it_is_renamed(to, corpus, tmp_path, monkeypatch):
    replace = type(tmp_path).replace

    def killed_at_the_first_file(path, target):
        if target.name != NOTE:
            raise Killed
        return replace(path, target)

    monkeypatch.setattr(type(tmp_path), "replace", killed_at_the_first_file)
    with pytest.raises(Killed):
        convert(corpus(1), tmp_path / "out", to, dataset="chunks")
    assert files_in(tmp_path / "out") == [NOTE]


def test_another_format_takes_the_place_of_the_first(corpus, tmp_path):
    (tmp_path / "out").mkdir()
    for to in FORMATS:
        convert(corpus(5), tmp_path / "out", to, dataset="chunks", documents_per_file=2, overwrite=True)
    convert(corpus(1), tmp_path / "out", "csv", dataset="chunks", overwrite=True)
    assert files_in(tmp_path / "out") == [NOTE, "chunks-00001.csv"]
    assert [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()] == []


@pytest.mark.parametrize("mine", ["notes.txt", "_manifest.json", "chunks-1.csv"])
@pytest.mark.parametrize("converted", [True, False])
@pytest.mark.parametrize("overwrite", [True, False])
def test_what_is_not_a_conversion_is_never_touched(corpus, tmp_path, mine, converted, overwrite):
    if converted:
        convert(corpus(1), tmp_path, "csv", dataset="chunks")
    (tmp_path / mine).write_text("mine")
    before = files_in(tmp_path)
    with pytest.raises(OutputError, match=f"holds {mine} and no conversion; choose an empty or a new folder"):
        convert(corpus(1), tmp_path, "csv", dataset="chunks", overwrite=overwrite)
    assert files_in(tmp_path) == before


def test_files_of_others_in_a_folder_of_brats_are_left(corpus, tmp_path):
    convert(corpus(1), tmp_path, "brat", dataset="chunks")
    (tmp_path / "chunks-00001" / "annotation.conf").write_text("mine")
    convert(corpus(1), tmp_path, "csv", dataset="chunks", overwrite=True)
    assert files_in(tmp_path) == [NOTE, "chunks-00001.csv", "chunks-00001/annotation.conf"]


def test_what_a_kill_leaves_half_written_goes_when_it_is_replaced(corpus, tmp_path):
    convert(corpus(1), tmp_path, "csv", dataset="chunks")
    (tmp_path / ".chunks-00002.csv.77.tmp").write_text("half")
    (tmp_path / f".{NOTE}.77.tmp").write_text("half")
    convert(corpus(1), tmp_path, "csv", dataset="chunks", overwrite=True)
    assert files_in(tmp_path) == [NOTE, "chunks-00001.csv"]


def test_a_disk_that_takes_no_more_names_the_file_and_what_to_do(corpus, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OutputError, match=r"chunks-00001.csv: cannot be written \(File too large\); .*free space"):
            convert(corpus(9), tmp_path / "out", "csv", dataset="chunks")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_in(tmp_path / "out") == [NOTE]
    assert note_of(tmp_path / "out") == {"state": "running"}


def test_a_file_is_no_folder(corpus, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError, match="out: is a file; choose a folder"):
        convert(corpus(1), tmp_path / "out", "csv", dataset="chunks")


@pytest.mark.parametrize("tables", [[], [DOCUMENT_ROW.empty_table()]])
def test_no_documents_are_no_files(tables, tmp_path):
    done = convert(tables, tmp_path / "out", "csv", dataset="chunks")
    assert (done.documents, done.chunks, done.files) == (0, 0, 0)
    assert files_in(tmp_path / "out") == [NOTE]
