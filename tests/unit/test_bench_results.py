import io
import json
import math

import pytest
from matplotlib.image import imread
from rich.console import Console

from benchmarks.environment import cpu_of, environment
from benchmarks.measurement import RowResult
from benchmarks.results import MET, MISSED, figure, notes_of, table_of, write_json, write_picture


def row(name, ratio, **fields):
    return RowResult(
        name=name, ours=20.5, theirs=2.0, unit="documents/s", ratio=ratio, lowest=ratio - 1, highest=ratio + 1, **fields
    )


ROWS = [
    row("fast", 10.0, goal=8.0, equal_chunks=True, note="why"),
    row("slow", 3.0, goal=20.0, equal_chunks=False),
    row("share", 0.04, goal=0.05, goal_is_most=True),
    row("only told", 2.0, note="how"),
    row("unknown", math.nan, goal=2.0),
]


def test_json_has_every_row_and_null_for_what_is_unknown(tmp_path):
    write_json(tmp_path / "results.json", {"date": "2026-11-23"}, ROWS, {"optimum": "no torch"})
    written = json.loads((tmp_path / "results.json").read_text(), parse_constant=pytest.fail)
    assert written["date"] == "2026-11-23"
    assert [one["name"] for one in written["rows"]] == [one.name for one in ROWS]
    assert [one["met"] for one in written["rows"]] == [True, False, True, None, None]
    assert written["rows"][-1]["ratio"] is None
    assert written["failed"] == {"optimum": "no torch"}


def test_the_table_says_whether_goals_are_met_and_chunks_equal():
    console = Console(width=200, file=io.StringIO())
    console.print(table_of(ROWS))
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in console.file.getvalue().splitlines()]
    assert [line for line in lines if line] == [
        ["1. fast", "20.5", "2", "documents/s", "10 (9 to 11)", "≥ 8", "yes", "yes"],
        ["2. slow", "20.5", "2", "documents/s", "3 (2 to 4)", "≥ 20", "no", "no"],
        ["3. share", "20.5", "2", "documents/s", "0.04 (-0.96 to 1.04)", "≤ 0.05", "yes", ""],
        ["4. only told", "20.5", "2", "documents/s", "2 (1 to 3)", "", "", ""],
        ["5. unknown", "20.5", "2", "documents/s", "? (? to ?)", "≥ 2", "", ""],
    ]
    assert notes_of(ROWS) == ["1. why", "4. how"]


def test_figures_have_three_digits():
    assert [figure(number) for number in (0.123456, 20.54, 1234.5, math.nan)] == ["0.123", "20.5", "1,234", "?"]


@pytest.mark.parametrize("rows", [ROWS, [], [ROWS[-1]]], ids=["five", "none", "unknown"])
def test_the_picture_is_drawn_of_whatever_there_is(tmp_path, rows):
    write_picture(tmp_path / "results.png", rows, "2026-11-23, a CPU")
    height, width, _ = imread(tmp_path / "results.png").shape
    assert width > 1000
    assert height > 150


def test_the_bars_are_as_long_as_the_goal_is_near(tmp_path):
    write_picture(tmp_path / "met.png", [row("r", 16.0, goal=8.0)], "")
    write_picture(tmp_path / "missed.png", [row("r", 2.0, goal=8.0)], "")
    met, missed = (imread(tmp_path / name)[..., :3].reshape(-1, 3) for name in ("met.png", "missed.png"))
    assert colour_share(met, MET) > colour_share(missed, MISSED) > 0.01
    assert colour_share(met, MISSED) == colour_share(missed, MET) == 0


def colour_share(pixels, colour):
    wanted = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return float((abs(pixels - wanted) < 0.01).all(axis=1).mean())


def test_cpu_and_flags_are_those_of_the_first_cpu():
    text = "processor : 0\nmodel name\t: A CPU: fast\nflags\t: fpu avx2 avx512_vnni amx_tile\n\nprocessor : 1\n"
    assert cpu_of(text) == {"cpu": "A CPU: fast", "flags": ["amx_tile", "avx2", "avx512_vnni"]}


def test_the_environment_says_where_and_with_what():
    where = environment()
    assert where["machine"]["cores"] >= 1
    assert {"python", "ray", "onnxruntime", "numpy"} <= where["versions"].keys()
    assert len((where["revision"] or "0" * 40).split("-")[0]) == 40
    json.dumps(where, allow_nan=False)
