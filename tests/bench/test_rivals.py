"""Each side of the suite that is not ours, as the command that the suite runs."""

import pytest

from benchmarks.measurement import in_turns, read_chunks

RIVALS = {
    "transformers": ("hf_pipeline",),
    "transformers, one at a time": ("hf_pipeline", "--one-at-a-time"),
    "optimum": ("optimum_onnx",),
    "Ray's recipe": ("ray_recipe",),
}


def common(chunks):
    return ("--threads", "2", "--chunks", str(chunks))


@pytest.fixture(scope="module")
def turns(random_pair, a_dozen, tmp_path_factory):
    weights, float32 = random_pair
    folder = tmp_path_factory.mktemp("turns")
    given = ("--sentences", str(a_dozen.sentences), "--model", str(weights))
    sides = {
        name: (f"benchmarks.rivals.{command}", *more, *given, *common(folder / f"{command}{len(more)}.jsonl"))
        for name, (command, *more) in RIVALS.items()
    }
    corpus = ("--corpus", str(a_dozen.folder), "--model", str(float32))
    sides["ours"] = ("benchmarks.ours", "light", *corpus, *common(folder / "ours.jsonl"))
    return {name: one[0] for name, one in in_turns(sides, 1, folder, print).items()}, folder


@pytest.mark.parametrize("name", RIVALS)
def test_it_finds_our_chunks_of_the_same_pieces(turns, name):
    theirs, mine = turns[0][name], turns[0]["ours"]
    assert theirs.chunks > 100
    assert (theirs.digest, theirs.chunks) == (mine.digest, mine.chunks)
    assert (theirs.documents, theirs.pieces) == (12, mine.pieces)
    assert 0 < theirs.seconds < 600
    assert theirs.start_seconds > 0


def test_the_chunks_are_written(turns):
    files = sorted(turns[1].glob("*.jsonl"))
    assert len(files) == 5
    rows = [sorted(read_chunks(path)) for path in files]
    assert rows[0]
    assert all(each == rows[0] for each in rows)
