"""What a start takes: how the parts are told apart, and the imports."""

import sys

import pytest

from actors.model_files import EMBEDDED_MODEL
from benchmarks.least_start import tag_text as least_text
from benchmarks.rows.start import largest, row_of
from benchmarks.start_timeline import Timeline
from benchmarks.start_up import TEXT, Import, Start, by_package, first_output, first_part, least, parse_imports

WRITTEN = """import time: self [us] | cumulative | imported package
import time:       100 |        100 |   _io
import time:       200 |        300 | site
import time:        40 |         40 |       json.decoder
import time:        10 |         50 |     json
import time:       500 |        550 |   pyarrow.lib
import time:        30 |         30 |   re
import time:       300 |        880 | pyarrow
this the program itself said
import time:        70 |         70 | pipelines.light
"""


def test_imports_are_read_with_their_depths():
    found = parse_imports(WRITTEN.splitlines())
    assert [(one.depth, one.module) for one in found][:4] == [(1, "_io"), (0, "site"), (3, "json.decoder"), (2, "json")]
    assert sum(one.seconds for one in found) == pytest.approx(1250e-6)


def test_the_standard_library_counts_to_who_wanted_it():
    found = by_package(parse_imports(WRITTEN.splitlines()))
    assert list(found) == ["pyarrow", "standard library", "cytotag"]
    assert found["pyarrow"] == pytest.approx(880e-6)
    assert found["standard library"] == pytest.approx(300e-6)


def test_a_package_inside_another_counts_for_itself():
    found = by_package([Import(1, "numpy", 2.0), Import(0, "pyarrow", 1.0)])
    assert found == {"numpy": 2.0, "pyarrow": 1.0}


def test_the_part_around_another_stands_still():
    ticks = iter([(t, t / 2) for t in (0.0, 1.0, 3.0, 6.0, 10.0, 15.0, 21.0)])
    timeline = Timeline(now=lambda: next(ticks))
    with timeline.part("outer"):  # from 1
        with timeline.part("inner"):  # 3 to 6
            pass
        with timeline.part("inner"):  # 10 to 15
            pass
    assert timeline.parts == {"outer": [12.0, 6.0], "inner": [8.0, 4.0]}


class Timed:
    def __init__(self, number):
        self.number = number

    @classmethod
    def made(cls, number):
        return cls(number)

    def plus(self, other):
        return self.number + other


def test_calls_that_are_timed_give_what_they_gave():
    clock = iter(range(100))
    timeline = Timeline(now=lambda: (tick := next(clock), tick))
    for attribute in ("__init__", "made", "plus"):
        timeline.time_calls(Timed, attribute, attribute)
    assert Timed.made(3).plus(4) == 7
    assert list(timeline.parts) == ["made", "__init__", "plus"]
    assert all(seconds > 0 for seconds, _ in timeline.parts.values())


def test_of_several_runs_the_least_of_each_number_is_taken():
    assert least([{"a": [3.0, 1.0], "b": [1.0, 1.0]}, {"a": [2.0, 2.0], "b": [4.0, 0.5]}]) == {
        "a": [2.0, 1.0],
        "b": [1.0, 0.5],
    }


def test_the_first_output_of_a_program_is_waited_for():
    code = "import time; print('here'); t = time.process_time()\nwhile time.process_time() - t < 0.3: pass"
    start = first_output(["-S", "-c", code])
    assert 0 < start.first < start.end
    assert start.cpu >= 0.2  # of 0.3: the system counts in hundredths of a second, and drops what is over


@pytest.mark.parametrize("code", ["print('no', 1 / 0)", "pass"], ids=["fails", "says nothing"])
def test_a_program_that_fails_or_says_nothing_is_an_error(code):
    with pytest.raises(RuntimeError, match="ended with"):
        first_output(["-S", "-c", code])


def test_the_first_part_is_waited_for(tmp_path):
    code = f"open(r'{tmp_path}/part-0123abcd-000000.parquet', 'w').close(); import time; time.sleep(0.3)"
    start = first_part(["-S", "-c", code], tmp_path)
    assert 0 < start.first < start.end
    with pytest.raises(RuntimeError, match="ended with 0"):
        first_part(["-S", "-c", "pass"], tmp_path / "none")


def test_the_least_start_reads_the_text(capsys):
    assert least_text(EMBEDDED_MODEL, TEXT) == 11
    assert capsys.readouterr().out == ""


def test_a_row_has_no_goal_and_its_note_the_largest_parts():
    row = row_of("start", [(Start(3.0, 4, 2), Start(1.0, 1, 1)), (Start(2.0, 2, 2), Start(1.0, 1, 1))], "note")
    assert (row.ours, row.theirs, row.ratio, row.goal) == (2.5, 1.0, 2.5, None)
    assert largest({str(number): float(number) for number in range(8)}).endswith("2 2.00, others 1.00")
    assert largest({"session": 1.0}) == "session 1.00"


def test_this_interpreter_is_the_one_that_is_started():
    assert first_output(
        ["-S", "-c", "import sys; print(sys.executable); assert sys.executable == sys.argv[1]", sys.executable]
    )
