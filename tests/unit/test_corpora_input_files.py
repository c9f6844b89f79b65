import os
import pickle
from pathlib import Path
from typing import get_args

import pytest

from pipelines.config import RunStoppedError
from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.formats import READERS
from pipelines.corpora.input_files import AUTO, FORMATS, InputError, InputFormat, find_input_files, format_of


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of each kind, and the current folder while the test runs."""
    for name in (
        "b.txt",
        "b.txt.md5",
        "a.TXT",
        "c.jsonl",
        "d.ndjson.gz",
        "e.parquet",
        "f.xml",
        "g.xml.gz",
        "README.md",
        ".hidden.txt",
        "_SUCCESS",
        "_part.txt",
        "deep/er/h.txt",
        "deep/_temporary/i.txt",
        ".git/j.txt",
        "odd/data[1].txt",
    ):
        path = tmp_path / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


ALL = ["a.TXT", "b.txt", "c.jsonl", "d.ndjson.gz", "deep/er/h.txt", "e.parquet", "f.xml", "g.xml.gz", "odd/data[1].txt"]


@pytest.mark.parametrize(
    ("inputs", "input_format", "found"),
    [
        (["corpus"], "auto", ALL),
        (["corpus/"], "auto", ALL),
        (["corpus"], "text", ["a.TXT", "b.txt", "deep/er/h.txt", "odd/data[1].txt"]),
        (["corpus"], "jsonl", ["c.jsonl", "d.ndjson.gz"]),
        (["corpus/f.xml", "corpus/a.TXT"], "auto", ["f.xml", "a.TXT"]),
        (["corpus/f.xml", "corpus"], "auto", ["f.xml", *(name for name in ALL if name != "f.xml")]),
        (["corpus/b.txt", "corpus/../corpus/b.txt"], "auto", ["b.txt"]),
        (["corpus/README.md"], "text", ["README.md"]),
        (["corpus/_part.txt", "corpus/.hidden.txt"], "auto", ["_part.txt", ".hidden.txt"]),
        (["corpus/deep/_temporary"], "auto", ["deep/_temporary/i.txt"]),
        (["corpus/*.txt"], "auto", ["b.txt"]),
        (["corpus/_*.txt"], "auto", ["_part.txt"]),
        (["corpus/**/*.txt"], "auto", ["b.txt", "deep/er/h.txt", "odd/data[1].txt"]),
        (["corpus/d*"], "auto", ["d.ndjson.gz", "deep/er/h.txt"]),
        (["corpus/*.md"], "text", ["README.md"]),
        (["corpus/odd/data[1].txt"], "auto", ["odd/data[1].txt"]),
        (["corpus/b.txt", "corpus/b.txt.md5"], "auto", ["b.txt"]),
        (["corpus/b.*"], "auto", ["b.txt"]),
    ],
)
@pytest.mark.usefixtures("corpus")
def test_finds_what_the_inputs_name(inputs, input_format, found):
    assert [file.path for file in find_input_files(inputs, input_format)] == [f"corpus/{name}" for name in found]


@pytest.mark.usefixtures("corpus")
def test_tells_the_format_from_the_name():
    formats = {Path(file.path).name: file.format for file in find_input_files(["corpus"])}
    assert formats == {
        "a.TXT": "text",
        "b.txt": "text",
        "h.txt": "text",
        "data[1].txt": "text",
        "c.jsonl": "jsonl",
        "d.ndjson.gz": "jsonl",
        "e.parquet": "parquet",
        "f.xml": "xml",
        "g.xml.gz": "xml",
    }


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("pubmed25n0001.xml.gz", "pubmed"),
        ("updates/MEDLINE20n1203.XML", "pubmed"),
        ("my-pubmed25n0001.xml.gz", "xml"),
        ("pubmed25n0001/efetch.xml", "xml"),
        ("PMC1.nxml", "jats"),
        ("a.xml.gz", "xml"),
        ("a.json.gz", "bioc-json"),
        ("a.jsonl.gz", "jsonl"),
        ("a.PubTator", "pubtator"),
        ("a.iob2", "conll"),
        ("a.iob.gz", "conll"),
        ("a.csv.gz", "csv"),
        ("a.tsv", "tsv"),
        ("a.ann", None),
        ("xml", None),
    ],
)
def test_the_name_tells(name, known):
    assert format_of(name) == known


@pytest.mark.parametrize(
    ("input_format", "found"),
    [
        ("xml", ["a.nxml", "a.xml", "pubmed25n0001.xml"]),
        ("pubmed", ["a.xml", "pubmed25n0001.xml"]),
        ("jats", ["a.nxml", "a.xml"]),
        ("bioc-xml", ["a.xml"]),
        ("brat", ["a.txt"]),
        ("csv", ["a.csv"]),
    ],
)
def test_a_folder_is_searched_for_the_names_that_a_format_has(tmp_path, input_format, found):
    for name in ("a.nxml", "a.xml", "a.txt", "a.ann", "a.csv", "a.tsv", "pubmed25n0001.xml"):
        (tmp_path / name).touch()
    files = find_input_files([str(tmp_path)], input_format)
    assert [Path(file.path).name for file in files] == found
    assert {file.format for file in files} == {input_format}


def test_each_format_has_a_reader():
    assert set(READERS) == set(FORMATS) == set(get_args(InputFormat)) - {AUTO}


def test_size_and_time_are_the_files_and_its_version_is_not_known_yet(corpus):
    path = corpus / "corpus" / "b.txt"
    os.utime(path, ns=(1, 12345))
    (file,) = find_input_files(["corpus/b.txt"])
    assert (file.size, file.modified, file.version) == (5, 12345, "")


def test_follows_links_once(corpus):
    (corpus / "corpus" / "loop").symlink_to(corpus / "corpus")
    (corpus / "corpus" / "z.txt").symlink_to(corpus / "corpus" / "b.txt")
    (corpus / "elsewhere").mkdir()
    (corpus / "elsewhere" / "k.txt").write_text("k")
    (corpus / "corpus" / "linked").symlink_to(corpus / "elsewhere")
    found = [file.path.removeprefix("corpus/") for file in find_input_files(["corpus"])]
    assert found == sorted([*ALL, "linked/k.txt"])


@pytest.mark.parametrize(
    ("inputs", "input_format", "message"),
    [
        (["missing.txt"], "auto", "missing.txt: no such file or folder; check the path"),
        (["corpus/*.odt"], "auto", "corpus/*.odt: no file matches this pattern; check it"),
        (["corpus/.git/empty"], "auto", "corpus/.git/empty: the folder holds no file to read; looked for names that"),
        (["corpus/odd"], "pubmed", "corpus/odd: the folder holds no file to read; looked for names that end in .xml,"),
        (["corpus/README.md"], "auto", "does not tell its format; say --input-format text, jsonl, parquet, jats, xml,"),
        (["corpus/*"], "auto", "corpus/README.md: its name does not tell its format"),
        ([""], "auto", "an empty name; name a file"),
        (["corpus/b.txt.md5"], "auto", "corpus/b.txt.md5: nothing but .md5 files is named; name the files"),
        (["/dev/null"], "text", "/dev/null: neither a file nor a folder"),
    ],
)
def test_refuses_in_one_line(corpus, inputs, input_format, message):
    (corpus / "corpus/.git/empty").mkdir()
    with pytest.raises(InputError) as caught:
        find_input_files(inputs, input_format)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("corpus")
def test_refuses_a_name_that_is_not_unicode():
    Path(os.fsdecode(b"corpus/\xff.txt")).write_text("x")
    with pytest.raises(InputError, match="the name is not valid UTF-8"):
        find_input_files(["corpus"])


def test_an_unknown_format_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="must be one of auto, text"):
        find_input_files(["x"], "odt")


def test_an_input_error_survives_pickling():
    error = pickle.loads(pickle.dumps(InputError("a.txt", "bro\nken")))  # noqa: S301  # our own bytes
    assert (str(error), error.path, error.reason) == ("a.txt: bro ken", "a.txt", "bro ken")


@pytest.mark.parametrize("name", ["missing.txt", "missing.xml.gz"])
def test_a_file_that_is_gone_since_it_was_listed_stops_the_run(tmp_path, name):
    with (
        pytest.raises(RunStoppedError, match=r"cannot be read on .* every machine needs"),
        open_bytes(str(tmp_path / name)),
    ):
        pass
