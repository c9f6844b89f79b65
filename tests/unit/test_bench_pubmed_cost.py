"""What all of PubMed takes: reckoned from a results file that was made up."""

import json

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.measurement import Turn
from benchmarks.pubmed_cost import PARTS, cost_of, main, rates_of
from benchmarks.results import write_json
from benchmarks.rows.job import row_of

app = typer.Typer()
app.command()(main)


def turns(*seconds, pieces=100_000):
    return [Turn(seconds=one, documents=100, pieces=pieces, start_seconds=9.0) for one in seconds]


@pytest.fixture
def results(tmp_path):
    """10,000 pieces/s of the embedded model on two cores, 1,000 of BERT-base; a bare loop is no rate of ours."""
    rows = [
        row_of("embedded", turns(10.0, 5.0, 20.0), turns(1.0, 1.0, 1.0)),
        row_of("BERT-base", turns(100.0), turns(50.0)),
    ]
    path = tmp_path / "results.json"
    write_json(path, {"threads": 2}, rows, {})
    return path


def test_the_rate_is_that_of_the_job_for_each_core(results):
    assert rates_of(json.loads(results.read_text())) == {"embedded": 5_000, "BERT-base": 500}


def test_other_rows_and_turns_that_noise_swallowed_are_no_rates(tmp_path):
    noise = row_of("embedded", turns(-1.0), turns(1.0))
    write_json(tmp_path / "results.json", {"threads": 2}, [noise], {})
    assert rates_of(json.loads((tmp_path / "results.json").read_text())) == {}


def test_eight_billion_pieces_at_a_thousand_a_second_take_2222_core_hours():
    cost = cost_of(1_000, 2, measured=2, scaling=0.5, pieces=8e9, dollars=0.05)
    assert cost.core_hours == pytest.approx(2222.2, abs=0.1)
    assert cost.hours == pytest.approx(1111.1, abs=0.1)
    assert cost.dollars == pytest.approx(111.1, abs=0.1)


def test_more_cores_take_fewer_hours_and_more_core_hours():
    two, many = (cost_of(1_000, cores, measured=2, scaling=0.5, pieces=8e9, dollars=0.05) for cores in (2, 64))
    assert many.core_hours == pytest.approx(2 * two.core_hours)
    assert many.hours == pytest.approx(two.hours / 16)
    assert many.dollars == pytest.approx(2 * two.dollars)
    assert many.parts * many.hours * 3600 == pytest.approx(PARTS)


def test_the_table_has_a_line_for_each_model_and_number_of_cores(results):
    done = CliRunner().invoke(app, [str(results), "--scaling", "1", "--dollars", "0.1"])
    lines = [[cell.strip() for cell in line.split("│")[1:-1]] for line in done.output.splitlines()]
    assert done.exit_code == 0
    assert [line for line in lines if line] == [
        ["embedded", "5,000", "2", "444", "222", "0.22", "44"],
        ["embedded", "5,000", "64", "444", "6.9", "7.0", "44"],
        ["embedded", "5,000", "1,024", "444", "0.43", "14", "44"],
        ["BERT-base", "500", "2", "4,444", "2,222", "0.022", "444"],
        ["BERT-base", "500", "64", "4,444", "69", "0.70", "444"],
        ["BERT-base", "500", "1,024", "4,444", "4.3", "1.4", "444"],
    ]


def test_without_a_rate_it_says_which_row_to_run(tmp_path):
    write_json(tmp_path / "results.json", {"threads": 2}, [], {})
    done = CliRunner().invoke(app, [str(tmp_path / "results.json")])
    assert done.exit_code == 1
    assert "--row job" in done.output
