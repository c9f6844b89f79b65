"""The Grafana dashboard asks Prometheus for what Ray exports of our counters, and for nothing else."""

import json
import re
from pathlib import Path

import pytest

from pipelines.outputs.metrics import DESCRIPTIONS
from pipelines.serving.measures import Measures

DASHBOARD = json.loads(
    (Path(__file__).parents[2] / "docs" / "deploy" / "grafana-cytotag.json").read_text(encoding="utf-8")
)
SERIES = {f"ray_cytotag_{counter}_total" for counter in (*DESCRIPTIONS, "chunks")}
"""Ray puts `ray_` before the name of a ray.util.metrics.Counter and, as Prometheus wants it, `_total` after."""

ENDPOINT_SERIES = set(re.findall(r"^# TYPE (\w+)", Measures("x").exposition(0).decode(), re.MULTILINE))
GAUGES = {"cytotag_waiting_pieces", "cytotag_requests_open"}
ENDPOINT_SERIES |= {f"{name}_bucket" for name in ENDPOINT_SERIES}

panels = pytest.mark.parametrize("panel", DASHBOARD["panels"], ids=[panel["title"] for panel in DASHBOARD["panels"]])


def series_of(panel):
    return {name for target in panel["targets"] for name in re.findall(r"[a-z_]*cytotag[a-z_]*", target["expr"])}


@panels
def test_a_panel_asks_for_our_series(panel):
    assert series_of(panel)
    assert series_of(panel) <= SERIES or series_of(panel) <= ENDPOINT_SERIES


@panels
def test_a_counter_is_read_as_a_rate_for_it_starts_again_with_each_worker(panel):
    for target in panel["targets"]:
        in_a_rate = re.findall(r"(?:rate|increase)\((\w*cytotag_\w+)(?:\{[^}]*\})?\[", target["expr"])
        counters = set(re.findall(r"\w*cytotag_\w+", target["expr"])) - GAUGES
        assert set(in_a_rate) == counters
        assert target["expr"].count("(") == target["expr"].count(")")


@panels
def test_a_panel_says_what_it_shows(panel):
    assert panel["title"]
    assert panel["description"].endswith((".", "/."))
    assert panel["datasource"]["uid"] == "${datasource}"


def test_every_series_is_shown_and_no_two_panels_are_the_same():
    assert set().union(*map(series_of, DASHBOARD["panels"])) - ENDPOINT_SERIES == SERIES
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)


def test_panels_do_not_overlap():
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
