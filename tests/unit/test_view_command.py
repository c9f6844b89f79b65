"""`cytotag view` from the command line, over datasets of real input files."""

import functools
import json
import re
import sys
import webbrowser

import pytest

from pipelines.dataset_documents import count_documents, documents_of

LINES = [
    {"document_id": "</script><b>1", "text": "A bcd.\nE"},
    {"document_id": "2", "text": ""},
    {"document_id": "3", "text": "😀 \U0001d6fc B"},
    {"document_id": "4", "text": "D"},
]


@pytest.fixture(params=["parquet", "jsonl", "documents"])
def output_format(request):
    return request.param


@pytest.fixture
def corpus(tmp_path):
    """Four documents and a line that is none."""
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in LINES) + "not JSON\n", encoding="utf-8")
    return path


PARTS = [[(0, 0), (0, 1)], [(0, 2), (0, 3), (0, 4)]]


@pytest.fixture
def dataset(tmp_path, corpus, write_dataset):
    folder = tmp_path / "chunks"
    write_dataset(folder, "parquet", [corpus], PARTS)
    return folder


@pytest.fixture
def view(cytotag):
    """Runs the command `view`."""
    return functools.partial(cytotag, "view")


def documents_in(path):
    page = path.read_text(encoding="utf-8")
    [data] = re.findall(r'<script type="application/json" id="documents">\n(.*?)\n</script>', page, re.DOTALL)
    return [json.loads(line) for line in data.split("\n")]


def test_each_format_makes_the_same_page(view, tmp_path, corpus, write_dataset, output_format):
    write_dataset(tmp_path / "chunks", output_format, [corpus], PARTS)
    code, out, err = view(tmp_path / "chunks")
    page = tmp_path / "chunks-view.html"
    assert (code, out, err) == (0, "", f"documents: 5\npage: {page}\n")
    found = documents_in(page)
    assert [(one["document_id"], one["text"]) for one in found[:4]] == [tuple(line.values()) for line in LINES]
    assert [[chunk["text"] for chunk in one["chunks"]] for one in found] == [["A", "E"], [], ["B"], ["D"], []]
    assert found[2]["chunks"][0]["start"] == 4
    assert found[4]["error"].startswith("line 5 is not JSON")
    assert {one["source"] for one in found} == {"corpus.jsonl"}
    assert page.read_text(encoding="utf-8").count("</script>") == 2


def test_what_is_left_out_is_said(view, dataset, tmp_path):
    code, _, err = view(dataset, "--limit", 3, "--output", tmp_path / "new" / "a.html")
    assert (code, err.splitlines()[0]) == (0, "documents: 3 of 5; --limit shows more")
    assert len(documents_in(tmp_path / "new" / "a.html")) == 3
    assert "The first 3 of 5 documents" in (tmp_path / "new" / "a.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_any_limit_is_kept(view, dataset, tmp_path, limit):
    view(dataset, "--limit", limit)
    assert len(documents_in(tmp_path / "chunks-view.html")) == min(limit, 5)


def test_documents_are_counted_as_they_are_read(tmp_path, corpus, write_dataset, output_format):
    folder = tmp_path / "withdrawn"
    write_dataset(folder, output_format, [corpus], PARTS, withdrawn=[1, 3])
    assert count_documents(folder) == sum(table.num_rows for table in documents_of(folder)) == 3


def test_a_dataset_in_a_store_makes_a_page_here(view, bucket, corpus, write_dataset, tmp_path, monkeypatch):
    folder = bucket / "some" / "chunks"
    write_dataset(folder, "parquet", [corpus], PARTS)
    monkeypatch.chdir(tmp_path)
    code, _, err = view(folder)
    assert (code, err.splitlines()[1]) == (0, "page: chunks-view.html")
    assert len(documents_in(tmp_path / "chunks-view.html")) == 5


def test_a_folder_is_named_as_it_is_from_within(view, dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(dataset)
    assert view(".")[0] == 0
    assert "<title>chunks " in (tmp_path / "chunks-view.html").read_text(encoding="utf-8")


def test_a_page_of_ours_is_made_anew_and_a_file_of_others_is_not(view, dataset, tmp_path):
    assert view(dataset)[0] == view(dataset)[0] == 0
    path = tmp_path / "notes.html"
    path.write_text("mine", encoding="utf-8")
    code, _, err = view(dataset, "--output", path)
    assert (code, path.read_text(encoding="utf-8")) == (1, "mine")
    assert err == (
        f"cytotag: {path}: is there, and is no page of cytotag's; replace it with --overwrite, or choose another\n"
    )
    assert view(dataset, "--output", path, "--overwrite")[0] == 0
    assert len(documents_in(path)) == 5


def test_neither_input_nor_dataset_is_written_over(view, dataset, corpus, tmp_path):
    before = corpus.read_bytes()
    for path, reason in [
        (corpus, "is an input file of the dataset; choose another file for the page"),
        (dataset / "a.html", "lies in the dataset, whose readers would take it for a part; choose another place"),
        (tmp_path, "is a folder; name a file with --output"),
    ]:
        assert view(dataset, "--output", path, "--overwrite") == (1, "", f"cytotag: {path}: {reason}\n")
    assert corpus.read_bytes() == before
    assert not (dataset / "a.html").exists()


def test_a_store_is_no_place_for_a_page(view, dataset):
    code, _, err = view(dataset, "--output", "s3://bucket/a.html")
    assert (code, err) == (
        1,
        "cytotag: --output s3://bucket/a.html: the page is written to a local file; name one\n",
    )


def test_what_cannot_be_written_is_one_line(view, dataset, corpus):
    code, _, err = view(dataset, "--output", corpus / "a.html")
    assert code == 1
    assert err.splitlines()[-1].startswith(f"cytotag: {corpus / 'a.html'}: cannot be written (")


@pytest.mark.parametrize("missing", ["nowhere", "."])
def test_what_is_no_dataset_is_said(view, tmp_path, missing):
    code, _, err = view(tmp_path / missing, "--output", tmp_path / "a.html")
    assert code == 1
    assert "holds no cytotag run" in err
    assert not (tmp_path / "a.html").exists()


def test_an_input_that_changed_is_named_and_the_page_stays_as_it_was(view, dataset, corpus, tmp_path):
    page = tmp_path / "chunks-view.html"
    assert view(dataset)[0] == 0
    before = page.read_bytes()
    corpus.write_text('{"document_id": "1", "text": "B"}\n', encoding="utf-8")
    code, _, err = view(dataset)
    assert code == 1
    assert err.splitlines()[-1].startswith(f"cytotag: {corpus}: changed since it was tagged; put the old file back")
    assert page.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chunks", "chunks-view.html", "corpus.jsonl"]


def test_ctrl_c_leaves_nothing(view, dataset, tmp_path, monkeypatch):
    def stopped(_):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(sys.modules["pipelines.dataset_documents"], "documents_of", stopped)
    code, _, err = view(dataset)
    page = tmp_path / "chunks-view.html"
    assert (code, err.splitlines()[-1]) == (1, f"cytotag: {page}: stopped, nothing was written")
    assert not page.exists()


@pytest.mark.parametrize("opens", [True, False])
def test_the_browser_is_asked_to_open_the_page(view, dataset, tmp_path, monkeypatch, opens):
    asked = []
    monkeypatch.setattr(webbrowser, "open", lambda url: asked.append(url) or opens)
    code, _, err = view(dataset, "--open")
    page = tmp_path / "chunks-view.html"
    assert (code, asked) == (0, [page.as_uri()])
    assert err.splitlines()[2:] == ([] if opens else [f"no browser could be opened here; open {page} yourself"])
