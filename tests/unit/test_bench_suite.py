import json

import pytest
from typer.testing import CliRunner

from benchmarks import suite
from benchmarks.corpus import write_corpus
from benchmarks.measurement import BenchModel, ChunkRow, RowContext, RowResult, Turn, write_chunks
from benchmarks.rows import job, rivals


@pytest.fixture
def context(tmp_path):
    source = tmp_path / "source.jsonl"
    source.write_text(json.dumps({"document_id": "1", "text": "IL-2 binds."}) + "\n")
    folder = tmp_path / "scratch"
    folder.mkdir()
    corpus, (int8, float32, weights) = write_corpus(source, folder / "corpus"), (folder / kind for kind in "ifw")
    model = BenchModel(name="embedded", int8=int8, float32=float32, weights=weights, corpus=corpus, copies=3)
    return RowContext(
        models=[model],
        threads=2,
        turns=1,
        smoke=True,
        scratch=folder,
        say=lambda _: None,
    )


def turn(seconds, digest=None):
    return Turn(seconds=seconds, documents=10, pieces=100, start_seconds=4.0, digest=digest)


def taken_by(seconds):
    """In place of processes: each side takes the seconds of the first key that its name holds."""
    asked = {}

    def in_turns(sides, turns, scratch, say):  # noqa: ARG001
        asked.update(sides)
        return {name: [turn(next(s for part, s in seconds.items() if part in name), "x")] * turns for name in sides}

    return in_turns, asked


def test_the_job_is_compared_with_the_bare_loop_over_the_same_documents(context, monkeypatch):
    in_turns, asked = taken_by({"bare": 9.0, "job": 10.0})
    monkeypatch.setattr(job, "in_turns", in_turns)
    (row,) = job.over_bare_loop(context)
    assert (round(row.ratio, 2), row.goal) == (0.9, 0.9)
    corpora = {command[command.index("--corpus") + 1] for command in asked.values()}
    assert len(corpora) == 1
    assert len((context.scratch / "long-embedded" / "documents.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("rows", "goals"),
    [
        (rivals.over_pipeline, [8.0, 3.0]),
        (rivals.over_one_at_a_time, [20.0, None]),
        (rivals.over_ray_recipe, [6.0, None]),
        (rivals.over_optimum, [2.0, None]),
    ],
    ids=["pipeline", "one", "ray", "optimum"],
)
def test_ours_in_int8_and_in_floats_over_each_rival(context, monkeypatch, rows, goals):
    for kind in ("int8", "fp32", "theirs"):
        write_chunks(context.scratch / f"{kind}.jsonl", [ChunkRow("1", 0, 4, "protein")])
    in_turns, asked = taken_by({"int8": 1.0, "fp32": 2.0, "": 20.0})
    monkeypatch.setattr(rivals, "in_turns", in_turns)
    int8, float32 = rows(context)
    assert (int8.ratio, float32.ratio) == (20.0, 10.0)
    assert [int8.goal, float32.goal] == goals
    assert int8.equal_chunks is True
    *ours, theirs = asked.values()
    assert all("--policy" in command for command in ours)
    assert str(context.models[0].corpus.sentences) in theirs
    assert str(context.models[0].weights) in theirs


def test_agreement_counts_chunks(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    write_chunks(ours, [ChunkRow("1", 0, 4, "DNA"), ChunkRow("1", 6, 9, "DNA"), ChunkRow("2", 0, 4, "DNA")])
    write_chunks(theirs, [ChunkRow("1", 0, 4, "DNA"), ChunkRow("1", 6, 9, "RNA")])
    assert rivals.agreement(ours, theirs) == "1 chunks are in both, 2 in ours only, 1 in theirs only"


def test_a_row_that_fails_does_not_cost_the_others(context, tmp_path, monkeypatch):
    def broken(_):
        raise RuntimeError("no torch")

    def good(given):
        assert given.scratch.is_dir()
        return [RowResult(name="r", ours=1.0, theirs=2.0, unit="u", ratio=0.5, lowest=0.5, highest=0.5, goal=1.0)]

    monkeypatch.setattr(suite, "ROWS", {"broken": broken, "good": good})
    settings = {"date": "2026-11-23T00:00:00", "machine": {"cpu": "some"}}
    results, failed = suite.measure(["broken", "good"], context, settings, tmp_path)
    assert [one.name for one in results] == ["r"]
    assert failed == {"broken": "RuntimeError: no torch"}
    written = json.loads((tmp_path / "results.json").read_text())
    assert (written["rows"][0]["ratio"], written["failed"]) == (0.5, failed)
    assert (tmp_path / "results.png").stat().st_size > 1000


def test_an_unknown_row_is_named_before_any_work():
    app = suite.typer.Typer()
    app.command()(suite.main)
    ended = CliRunner().invoke(app, ["--row", "speed"])
    assert ended.exit_code == 2
    assert "no row speed" in ended.output
