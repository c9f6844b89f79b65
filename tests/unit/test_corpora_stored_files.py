import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.config import ConfigError, RunStoppedError
from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.counting import count_records
from pipelines.corpora.formats import READERS
from pipelines.corpora.input_files import InputError, find_input_files
from pipelines.corpora.records import ReaderOptions
from pipelines.storage import StorePath

NAMES = (
    "b.txt",
    "a.TXT",
    "c.jsonl",
    "c.jsonl.md5",
    "g.xml.gz",
    "README.md",
    ".hidden.txt",
    "_part.txt",
    "deep/er/h.txt",
    "deep/_temporary/i.txt",
    "odd/data[1].txt",
)
ALL = ["a.TXT", "b.txt", "c.jsonl", "deep/er/h.txt", "g.xml.gz", "odd/data[1].txt"]


@pytest.fixture(scope="module")
def corpus(s3_server):
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{s3_server}/corpus-bucket", method="PUT")).close()  # noqa: S310
    folder = StorePath("s3://corpus-bucket/corpus")
    for name in NAMES:
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.mark.parametrize(
    ("inputs", "input_format", "found"),
    [
        (["corpus"], "auto", ALL),
        (["corpus/"], "auto", ALL),
        (["corpus"], "text", ["a.TXT", "b.txt", "deep/er/h.txt", "odd/data[1].txt"]),
        (["corpus/g.xml.gz", "corpus/a.TXT"], "auto", ["g.xml.gz", "a.TXT"]),
        (["corpus/g.xml.gz", "corpus"], "auto", ["g.xml.gz", *(name for name in ALL if name != "g.xml.gz")]),
        (["corpus/README.md"], "text", ["README.md"]),
        (["corpus/_part.txt", "corpus/.hidden.txt"], "auto", ["_part.txt", ".hidden.txt"]),
        (["corpus/deep/_temporary"], "auto", ["deep/_temporary/i.txt"]),
        (["corpus/*.txt"], "auto", ["b.txt"]),
        (["corpus/_*.txt"], "auto", ["_part.txt"]),
        (["corpus/**/*.txt"], "auto", ["b.txt", "deep/er/h.txt", "odd/data[1].txt"]),
        (["corpus/d*"], "auto", ["deep/er/h.txt"]),
        (["corpus/c*"], "auto", ["c.jsonl"]),
        (["corpus/?.txt"], "auto", ["b.txt"]),
        (["corpus/odd/data[1].txt"], "auto", ["odd/data[1].txt"]),
        (["cor*/*.jsonl"], "auto", ["c.jsonl"]),
    ],
)
def test_finds_what_the_addresses_name(corpus, inputs, input_format, found):
    files = find_input_files([f"{corpus.parent}/{name}" for name in inputs], input_format)
    assert [file.path for file in files] == [f"{corpus}/{name}" for name in found]


def test_an_object_is_the_same_by_its_name_and_by_its_folder(corpus):
    [by_name] = find_input_files([f"{corpus}/b.txt"])
    assert by_name in find_input_files([f"{corpus}"])
    assert by_name.version == f"5-{by_name.modified // 10**9}"
    assert by_name.modified > 10**18


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("s3://corpus-bucket/missing.txt", "s3://corpus-bucket/missing.txt: no such object"),
        ("s3://corpus-bucket/corpus/*.csv", "no such object, no folder or pattern"),
        ("s3://no-such-bucket-at-all/x", "no such object"),
        ("s3://corpus-bucket/corpus/README.md", "its name does not tell its format"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(corpus, name, message):
    assert corpus
    with pytest.raises(InputError) as caught:
        find_input_files([name])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_store_that_refuses_us_is_one_line(corpus, refused_key):  # noqa: ARG001
    with pytest.raises(InputError, match=r"cannot be read .*AWS Error.*check the address, the credentials"):
        find_input_files([str(corpus)])


def test_credentials_in_an_address_are_refused_and_not_shown():
    with pytest.raises(ConfigError) as caught:
        find_input_files(["s3://KEY:SECRET@bucket/x"])
    assert "KEY:" not in str(caught.value)
    assert ":SECRET" not in str(caught.value)


ROWS = [{"document_id": str(number), "text": f"IL-{number}"} for number in range(1000)]


def as_jsonl():
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


def as_parquet():
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), stream, row_group_size=100)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "counted"),
    [
        ("a.jsonl", as_jsonl, None),
        ("a.jsonl.gz", lambda: gzip.compress(as_jsonl()), None),
        ("a.parquet", as_parquet, 1000),
    ],
)
def test_readers_read_objects(bucket, name, data, counted):
    (bucket / name).write_bytes(data())
    [file] = find_input_files([f"{bucket}/{name}"])
    records = list(READERS[file.format](file.path, ReaderOptions()))
    assert [{"document_id": record.document_id, "text": record.text} for record in records] == ROWS
    assert count_records([file]) == counted


def test_an_object_that_is_cut_off_is_a_damaged_file(bucket):
    (bucket / "a.jsonl.gz").write_bytes(gzip.compress(as_jsonl())[:-20])
    with pytest.raises(InputError, match=r"a.jsonl.gz: the gzip data is cut off"):
        list(READERS["jsonl"](f"{bucket}/a.jsonl.gz", ReaderOptions()))


def test_a_store_that_fails_while_a_file_is_read_stops_the_run(bucket, refused_key):  # noqa: ARG001
    """The rest of the file would else count as damaged, and so as done."""
    with (
        pytest.raises(RunStoppedError, match=r"a.txt: cannot be read on .*AWS Error"),
        open_bytes(f"{bucket}/a.txt"),
    ):
        pass


def test_an_object_that_went_away_stops_the_run(bucket):
    with pytest.raises(RunStoppedError, match="cannot be read on"), open_bytes(f"{bucket}/a.txt"):
        pass
