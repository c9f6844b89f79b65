"""`cytotag report` from the command line, over datasets of real parts."""

import functools
import json
import os
import subprocess
import sys
import webbrowser
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import html

from pipelines.outputs.folder import claim
from pipelines.outputs.manifest import Manifest

ROOT = Path(__file__).parents[2]
HOSTILE = "<script>alert('x')</script>&amp;"


@pytest.fixture
def cytotag(cytotag):
    """Runs the command `report`."""
    return functools.partial(cytotag, "report")


def write_corpus(path, documents):
    lines = [one if isinstance(one, str) else json.dumps({"document_id": one[0], "text": one[1]}) for one in documents]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def corpus(tmp_path):
    documents = [("d1", "A b. C A"), ("d2", "nothing"), "no JSON", (HOSTILE, "A B\nC"), ("d5", "x A")]
    return write_corpus(tmp_path / "a <b> & c.jsonl", documents)


@pytest.fixture
def dataset(tmp_path, corpus, write_dataset):
    """Two parts, a record with an error in each; each capital letter is a chunk."""
    write_dataset(tmp_path / "chunks", "parquet", [corpus], [[(0, 0), (0, 1), (0, 2)], [(0, 3), (0, 4)]], broken={4})
    return tmp_path / "chunks"


def page_of(path):
    """The page, parsed; only what stands in it."""
    data = path.read_bytes()
    page = html.document_fromstring(data.decode())
    assert data.startswith(b"<!DOCTYPE html>")
    return page


def text(element):
    return " ".join(element.text_content().split())


def figures(page):
    return {text(one.find("dt")): text(one.find("dd")) for one in page.xpath("//dl[@class='figures']/div")}


def report_file(folder):
    return folder.parent / f"{folder.name}-report.html"


def facts(page):
    names = [text(one) for one in page.xpath("//dl[@class='facts']/dt")]
    return dict(zip(names, map(text, page.xpath("//dl[@class='facts']/dd")), strict=True))


def rows(page, caption):
    table = next(one for one in page.iter("table") if caption in text(one.find("caption")))
    return [[text(cell) for cell in row.iter("td")] for row in table.find("tbody").iter("tr")]


def status(page):
    return text(page.find_class("status")[0])


@pytest.mark.parametrize("output_format", ["parquet", "jsonl", "documents"])
def test_a_report_says_what_is_in_the_dataset(cytotag, tmp_path, corpus, write_dataset, output_format):
    folder = tmp_path / "chunks"
    write_dataset(folder, output_format, [corpus], [[(0, 0), (0, 1), (0, 2)], [(0, 3), (0, 4)]], broken={4})

    code, out, err = cytotag(folder)

    assert (code, out, err) == (0, "", f"page: {report_file(folder)}\n")
    page = page_of(report_file(folder))
    assert status(page).startswith("Finished")
    found = figures(page)
    assert (found["documents"], found["entities"], found["errors"]) == ("5", "6", "2")
    assert rows(page, "6 in 2 documents, mean score 0.500; 3 different texts") == [
        ["A", "3", "2", "0.500"],
        ["C", "2", "2", "0.500"],
        ["B", "1", "1", "0.500"],
    ]
    assert [row[:1] for row in rows(page, "could not be tagged")] == [["1"], ["1"]]
    assert [row[0] for row in rows(page, "The largest")] == [str(corpus)]
    assert rows(page, "With the most errors")[0][3:] == ["5", "6", "2", "to the end"]
    assert "2.0 on average, 3 at most; 1 of 3 documents have none." in text(page)
    assert facts(page)["SHA-256"] == "ab"


def test_a_page_stands_alone_and_is_in_order(cytotag, dataset):
    cytotag(dataset)
    page = page_of(report_file(dataset))
    assert page.get("lang") == "en"
    assert page.xpath("//script | //link | //img | //iframe | //form") == []
    assert page.xpath("//@src | //@onclick | //@onload") == []
    assert all(link.startswith("#") for link in page.xpath("//@href | //@*[name()='xlink:href']"))
    assert "default-src 'none'" in page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    referred = {link[1:] for link in page.xpath("//@href | //@*[name()='xlink:href']")}
    referred |= {name for names in page.xpath("//@aria-labelledby") for name in names.split()}
    assert referred <= set(ids)
    assert next(page.iter("h1", "h2", "h3")).tag == "h1"
    assert all(table.find("caption") is not None for table in page.iter("table"))
    assert all(cell.get("scope") == "col" for cell in page.iter("th"))
    assert all(table.getparent().get("class") == "scroll" for table in page.iter("table"))
    plots = page.xpath("//*[name()='svg']")
    assert len(plots) >= 3
    for plot in plots:
        assert plot.get("role") == "img"
        title, description = plot[0], plot[1]
        assert (title.tag, description.tag) == ("title", "desc")
        assert title.text
        assert description.text
        assert plot.xpath(".//*[name()='text']")
        assert "#0102" not in html.tostring(plot).decode()  # each colour is one of the page's
        assert "var(--" in html.tostring(plot).decode()


def test_what_comes_from_outside_stays_text(cytotag, tmp_path, write_dataset):
    corpus = write_corpus(tmp_path / "<script>a.jsonl", [("d1", "A"), (HOSTILE, 5), "<script>alert(2)</script>"])
    folder = tmp_path / "<i>chunks"
    write_dataset(folder, "parquet", [corpus], [[(0, 0), (0, 1), (0, 2)]])
    held = Manifest.read(folder)
    model = {**held.model, "folder": HOSTILE}
    refused = {"path": f"/x/{HOSTILE}", "format": "jsonl", "size": 1, "error": HOSTILE, "version": ""}
    replace(held, model=model, command=("cytotag", HOSTILE), inputs=(*held.inputs, refused)).write(folder)

    assert cytotag(folder)[0] == 0

    page = page_of(report_file(folder))
    assert page.xpath("//script | //i") == []
    assert facts(page)["model"] == HOSTILE
    assert rows(page, "not read at all") == [[f"/x/{HOSTILE}", HOSTILE]]
    assert any(HOSTILE in "".join(row) for row in rows(page, "could not be tagged"))
    assert figures(page)["files not read"] == "1"
    assert text(page.find(".//h1")).endswith(str(folder))


def test_an_entity_may_be_called_anything(cytotag, dataset, monkeypatch):
    """The plots have names in them, too: no markup, no formula, nothing that XML cannot hold."""
    from pipelines import reporting

    chunks_of_part = reporting.chunks_of_part

    def renamed(*arguments):
        for table in chunks_of_part(*arguments):
            names = [f"$x^2$ {HOSTILE}\x00\x1b 细胞"] * table.num_rows
            yield table.set_column(table.schema.get_field_index("entity"), table.schema.field("entity"), [names])

    monkeypatch.setattr(reporting, "chunks_of_part", renamed)
    code, _, err = cytotag(dataset)
    assert (code, err.count("\n")) == (0, 1)
    page = page_of(report_file(dataset))
    assert page.xpath("//script") == []
    assert "$x^2$ <script>alert('x'…" in page.xpath("//*[name()='svg']//*[name()='text']/text()")


def unfinished(folder):
    """What a kill leaves: a manifest that says `running`, without counts."""
    held = Manifest.read(folder)
    bare = tuple({name: one[name] for name in ("path", "format", "size", "modified", "version")} for one in held.inputs)
    replace(held, state="running", counts={}, inputs=bare, seconds=None).write(folder)


def test_a_run_that_was_interrupted(cytotag, tmp_path, corpus, write_dataset):
    folder = tmp_path / "chunks"
    write_dataset(folder, "parquet", [corpus], [[(0, 0), (0, 1)]])
    with claim(folder):
        pass
    unfinished(folder)

    assert cytotag(folder)[0] == 0

    page = page_of(report_file(folder))
    assert status(page).startswith("Interrupted. No run is writing this folder now; the last part was written 20")
    assert "--resume" in status(page)
    assert figures(page)["documents"] == "2"
    assert rows(page, "The largest")[0][-1] == "in part"
    assert facts(page)["took"] == "not finished"


def test_a_run_that_is_still_going(cytotag, dataset):
    unfinished(dataset)
    with claim(dataset):
        assert cytotag(dataset)[0] == 0
    assert status(page_of(report_file(dataset))).startswith("Still going.")


def test_a_run_that_has_committed_nothing(cytotag, tmp_path, corpus, write_dataset):
    folder = tmp_path / "chunks"
    write_dataset(folder, "parquet", [corpus], [])
    unfinished(folder)
    assert cytotag(folder)[0] == 0
    page = page_of(report_file(folder))
    assert status(page).startswith("Interrupted. No run is writing this folder now; nothing is committed")
    assert figures(page)["documents"] == "0"
    assert page.xpath("//*[name()='svg']") == []
    assert rows(page, "The largest")[0][-1] == "not yet, or no records"


def test_documents_over_time_with_a_pause(cytotag, tmp_path, write_dataset):
    corpus = write_corpus(tmp_path / "a.jsonl", [(f"d{n}", "A") for n in range(8)])
    folder = tmp_path / "chunks"
    write_dataset(folder, "parquet", [corpus], [[(0, n)] for n in range(8)])
    parts = sorted(folder.glob("part-*"))
    for number, path in enumerate(parts[4:]):
        path.rename(folder / f"part-000000ff-{number:06d}.parquet")
    for number, path in enumerate(parts[:4]):
        os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
    for number, path in enumerate(sorted(folder.glob("part-000000ff-*"))):
        os.utime(path, (1_000_007_200 + 2 * number, 1_000_007_200 + 2 * number))
    replace(Manifest.read(folder), started="2001-09-09T03:46:30+00:00", seconds=60.0).write(folder)

    assert cytotag(folder)[0] == 0

    page = page_of(report_file(folder))
    assert rows(page, "times at which the parts were written") == [
        ["2001-09-09 01:46:40", "2001-09-09 01:46:43", "", "4", "4", "1.0"],
        ["2001-09-09 03:46:40", "2001-09-09 03:46:46", "1 h 59 min", "4", "4", "0.5"],
    ]
    assert figures(page)["documents/s, last"] == "0.5"
    [plot] = (one for one in page.xpath("//*[name()='svg']") if one[0].text == "Documents/s over time")
    assert "1 h 59 min later" in text(plot)


def test_copied_parts_have_no_times_and_it_is_said(cytotag, dataset):
    replace(Manifest.read(dataset), started="2001-09-09T03:46:30+00:00", seconds=60.0).write(dataset)
    cytotag(dataset)
    page = page_of(report_file(dataset))
    assert not [name for name in figures(page) if "documents/s" in name]
    assert "When the records of 2 of 2 parts were tagged is not known" in text(page)


def test_its_own_page_is_replaced(cytotag, dataset):
    assert cytotag(dataset)[0] == 0
    assert cytotag(dataset)[0] == 0


def test_a_file_of_the_user_is_not_replaced_without_a_word(cytotag, dataset, tmp_path):
    mine = tmp_path / "mine.html"
    mine.write_text("mine")
    code, _, err = cytotag(dataset, "--output", mine)
    assert (code, mine.read_text()) == (1, "mine")
    assert err.startswith(f"cytotag: {mine}: is there, and is no page of cytotag's; replace it with --overwrite")
    assert cytotag(dataset, "--output", mine, "--overwrite")[0] == 0
    assert page_of(mine) is not None
    assert not report_file(dataset).exists()


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("chunks/report.html", "lies in the dataset"),
        (".", "is a folder; name a file"),
        ("file/report.html", "cannot be written"),
    ],
)
def test_a_place_that_cannot_be_written_to(cytotag, dataset, tmp_path, output, message):
    (tmp_path / "file").touch()
    before = sorted(dataset.iterdir())
    code, _, err = cytotag(dataset, "--output", tmp_path / output)
    assert (code, err.count("\n")) == (1, 1)
    assert message in err
    assert sorted(dataset.iterdir()) == before


def test_what_is_no_dataset(cytotag, tmp_path):
    code, _, err = cytotag(tmp_path)
    assert (code, err.count("\n")) == (1, 1)
    assert "holds no cytotag run" in err
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_part_is_one_line(cytotag, dataset):
    part = next(dataset.glob("part-*"))
    part.write_bytes(part.read_bytes()[:-200])
    code, _, err = cytotag(dataset)
    assert (code, err.count("\n")) == (1, 1)
    assert f"{part}: damaged" in err


def test_open_shows_the_page(cytotag, dataset, monkeypatch):
    shown = []
    monkeypatch.setattr(webbrowser, "open", lambda address: shown.append(address) or True)
    assert cytotag(dataset, "--open")[0] == 0
    assert shown == [report_file(dataset).resolve().as_uri()]


def test_a_dataset_in_a_store(cytotag, bucket, corpus, write_dataset, tmp_path, monkeypatch):
    folder = bucket / "chunks"
    write_dataset(folder, "parquet", [corpus], [[(0, 0), (0, 1), (0, 2)], [(0, 3), (0, 4)]])
    unfinished(folder)
    monkeypatch.chdir(tmp_path)
    assert cytotag(folder)[0] == 0
    page = page_of(tmp_path / "chunks-report.html")
    assert status(page).startswith("Not finished. Whether a run is writing this folder cannot be told from here;")
    assert figures(page)["documents"] == "5"


def test_without_matplotlib_it_says_how_to_get_it_and_does_nothing(dataset):
    program = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from pipelines.__main__ import main\n"
        f"sys.argv = ['cytotag', 'report', {str(dataset)!r}]\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "pip install 'matplotlib" in done.stderr
    assert not report_file(dataset).exists()
