import io
import json
import threading

import pytest
from rich.console import Console

from pipelines import terminal
from pipelines.corpora.input_files import find_input_files
from pipelines.outputs.counts import Counts
from pipelines.outputs.coverage import Coverage
from pipelines.outputs.formats import OUTPUT_FORMATS
from pipelines.outputs.part_note import PartNote
from pipelines.tables import chunk_table, summary_table
from pipelines.terminal import committed_parts


def rendered(table, width=120):
    console = Console(record=True, width=width, file=io.StringIO())
    console.print(table)
    return console.export_text()


def cells(table, **options):
    """The cells of each line that has any, whatever the box around them."""
    lines = rendered(table, **options).replace("┃", "│").splitlines()
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "│" in line]


def chunk(text="IL-2", **columns):
    return {"document_id": "d", "start": 3, "end": 7, "entity": "protein", "score": 0.98765, "text": text, **columns}


def test_a_chunk_is_a_row():
    heading, row = cells(chunk_table([chunk()]))
    assert heading == ["start", "end", "entity", "score", "text"]
    assert row == ["3", "7", "protein", "0.988", "IL-2"]


def test_a_dataset_has_the_document_in_front():
    heading, *rows = cells(chunk_table([chunk(), chunk(document_id="e")], with_document=True))
    assert heading[0] == "document"
    assert [row[0] for row in rows] == ["d", "e"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[red]x[/red]", "[red]x[/red]"),
        ("[/]", "[/]"),
        ("[/b] a [Ca2+]i \\[x]", "[/b] a [Ca2+]i \\[x]"),
        (":smile:", ":smile:"),
        ("NF-κB 😀", "NF-κB 😀"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\u202eright to left", "\\u202eright to left"),
    ],
)
@pytest.mark.parametrize("column", ["text", "entity", "document_id"])
def test_text_from_a_corpus_is_shown_as_it_stands(column, text, shown):
    _, row = cells(chunk_table([chunk(**{column: text})], with_document=True))
    assert row[{"document_id": 0, "entity": 3, "text": 5}[column]] == shown


def test_a_long_text_is_folded_not_cut():
    shown = "".join(row[-1] for row in cells(chunk_table([chunk("x" * 300)]), width=80)[1:])
    assert shown == "x" * 300


def test_no_chunks_are_an_empty_table():
    assert len(cells(chunk_table([]))) == 1


def test_the_summary_counts_chunks_in_all_and_by_entity():
    counts = Counts(documents=2000, sentences=3, tokens=4, chunks={"DNA": 1, "[/]": 1234}, errors=5)
    lines = [line.split() for line in rendered(summary_table(counts, seconds=12.34, tagging_seconds=8)).splitlines()]
    assert lines == [
        ["documents", "2,000"],
        ["sentences", "3"],
        ["tokens", "4"],
        ["chunks", "1,235"],
        ["DNA", "1"],
        ["[/]", "1,234"],
        ["errors", "5"],
        ["seconds", "12.3"],
        ["documents/s", "250.0"],
    ]


def test_a_run_that_had_nothing_to_do_has_no_rate():
    assert rendered(summary_table(Counts(), seconds=1, tagging_seconds=0)).split()[-2:] == ["documents/s", "-"]


class Screen(io.StringIO):
    """A terminal that tells when a text has been written to it."""

    def __init__(self, *wanted):
        super().__init__()
        self.waiting = {text: threading.Event() for text in wanted}

    def write(self, text):
        for wanted, event in self.waiting.items():
            if wanted in text:
                event.set()
        return super().write(text)

    def shows(self, text):
        return self.waiting[text].wait(timeout=120)  # no less on a machine with other things to do


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "a.jsonl").write_text((json.dumps({"text": "x"}) + "\n") * 8)
    return find_input_files([str(tmp_path / "a.jsonl")])


@pytest.mark.parametrize("output_format", sorted(OUTPUT_FORMATS))
def test_progress_grows_with_the_parts_that_are_committed(tmp_path, corpus, monkeypatch, output_format):
    """The part that was there before is not of this run's rates, but is of the documents done, where its file is."""
    monkeypatch.setattr(terminal, "POLL_SECONDS", 0.01)
    folder = tmp_path / "out"
    folder.mkdir()

    def commit(name, start, stop, source=corpus[0].path):
        coverage = {source: Coverage(version="", ranges=((start, stop),))}
        note = PartNote(coverage=coverage, counts=Counts(documents=stop - start, tokens=10))
        OUTPUT_FORMATS[output_format].write_part(folder, f"part-0000000{name}", [], note)

    commit("1-000000", 0, 2)
    commit("1-000001", 0, 5, source="another file, done before")
    screen = Screen("2 documents ", "waiting for the first part", "5 documents ", "tokens/s", "8 documents ")
    console = Console(file=screen, force_terminal=True, width=150, color_system=None)
    with committed_parts(console, folder, output_format, corpus):
        assert screen.shows("2 documents ")
        assert screen.shows("waiting for the first part")
        commit("2-000000", 2, 5)
        assert screen.shows("5 documents ")
        assert screen.shows("tokens/s")
        commit("2-000001", 5, 8)
        assert screen.shows("8 documents ")
    assert not [thread for thread in threading.enumerate() if "watch" in thread.name]


def test_progress_ends_with_the_run_that_fails(tmp_path, corpus):
    console = Console(file=io.StringIO(), force_terminal=True)
    with pytest.raises(ZeroDivisionError), committed_parts(console, tmp_path, "parquet", corpus):
        raise ZeroDivisionError
    assert not [thread for thread in threading.enumerate() if "watch" in thread.name]


def test_a_log_gets_a_line_now_and_then(monkeypatch, tmp_path, corpus):
    monkeypatch.setattr(terminal, "LOG_SECONDS", 0.01)
    screen = Screen("2 documents, ")
    with committed_parts(Console(file=screen, width=60), tmp_path, "parquet", corpus):
        note = PartNote(
            coverage={corpus[0].path: Coverage(version="", ranges=((0, 2),))}, counts=Counts(documents=2, tokens=10)
        )
        OUTPUT_FORMATS["parquet"].write_part(tmp_path, "part-00000001-000000", [], note)
        assert screen.shows("2 documents, ")
    lines = screen.getvalue().splitlines()
    assert {line.startswith("2 documents, ") and line.endswith("tokens/s") for line in lines} == {True}


def test_nothing_is_drawn_where_no_one_looks(tmp_path, corpus):
    output = io.StringIO()
    with committed_parts(Console(file=output), tmp_path, "parquet", corpus):
        pass
    assert output.getvalue().strip() == ""


def test_a_run_that_ends_does_not_wait_for_a_look_at_all_its_parts(tmp_path, corpus, monkeypatch):
    monkeypatch.setattr(terminal, "POLL_SECONDS", 0.01)
    parquet, looked, ended, read = OUTPUT_FORMATS["parquet"], threading.Event(), threading.Event(), []
    join = threading.Thread.join

    def slowly(path):
        read.append(path)
        looked.set()
        assert ended.wait(timeout=120)
        return PartNote(coverage={}, counts=Counts(documents=1))

    def ends(thread, timeout=None):  # what is joined has been told to stop
        ended.set()
        join(thread, timeout)

    monkeypatch.setattr(parquet, "read_note", slowly)
    monkeypatch.setattr(threading.Thread, "join", ends)
    with committed_parts(Console(file=io.StringIO(), force_terminal=True), tmp_path, "parquet", corpus):
        monkeypatch.setattr(parquet, "note_files", lambda _: [tmp_path / f"part-{number}" for number in range(500)])
        assert looked.wait(timeout=120)
    assert 0 < len(read) < 500
