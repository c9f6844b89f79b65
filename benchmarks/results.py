"""What the suite measured: as JSON, as a table, and as a picture."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.measurement import RowResult

MET, MISSED, UNKNOWN = "#0072b2", "#d55e00", "#999999"
"""Of Okabe and Ito's palette: told apart by those who see no red or green, and in grey."""
BAR_INCHES = 0.42
LONGEST_BAR = 5.0
"""Times the goal; what is more has its number beside it."""


def write_json(path: Path, settings: Mapping[str, Any], rows: Sequence[RowResult], failed: Mapping[str, str]) -> None:
    """Writes all that is known; what could not be measured is null.

    Args:
        path: The file.
        settings: Of the run: where, when, with what and how often.
        rows: What was measured.
        failed: Why a row could not be, by its name.
    """
    table = [{**asdict(row), "met": row.met} for row in rows]
    content = _without_nan({**settings, "rows": table, "failed": dict(failed)})
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def table_of(rows: Sequence[RowResult]) -> Table:
    """The table; notes are numbered, and `notes_of` has them."""
    table = Table(title="ours ÷ theirs, in the same turns")
    for heading in ("what", "ours", "theirs", "unit", "ratio (lowest to highest)", "goal", "met", "equal chunks"):
        table.add_column(heading, justify="left" if heading in ("what", "unit") else "right", overflow="fold")
    for number, row in enumerate(rows, start=1):
        table.add_row(
            f"{number}. {row.name}",
            figure(row.ours),
            figure(row.theirs),
            row.unit,
            f"{figure(row.ratio)} ({figure(row.lowest)} to {figure(row.highest)})",
            _goal(row),
            {None: "", True: "yes", False: "no"}[row.met],
            {None: "", True: "yes", False: "no"}[row.equal_chunks],
        )
    return table


def notes_of(rows: Sequence[RowResult]) -> list[str]:
    """The notes, each with the number of its row."""
    return [f"{number}. {row.note}" for number, row in enumerate(rows, start=1) if row.note]


def figure(number: float) -> str:
    """Three digits, or "?" for what is not known."""
    if math.isnan(number):
        return "?"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def write_picture(path: Path, rows: Sequence[RowResult], caption: str) -> None:
    """Draws how far each row with a goal comes: a bar that reaches the line has met it. PNG; needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [row for row in rows if row.goal is not None]
    picture = Figure(figsize=(11, 1.6 + BAR_INCHES * max(1, len(shown))), layout="constrained")
    FigureCanvasAgg(picture)
    axes = picture.add_subplot()
    for place, row in enumerate(reversed(shown)):
        width, low, high = (_width(row.attained(ratio)) for ratio in (row.ratio, row.lowest, row.highest))
        axes.barh(place, width, color={None: UNKNOWN, True: MET, False: MISSED}[row.met], height=0.62)
        axes.plot([low, high], [place, place], color="black", linewidth=1.2, marker="|", markersize=7)
        axes.annotate(
            f"{figure(row.ratio)} (goal {_goal(row)})",
            (max(width, low, high), place),
            xytext=(6, 0),
            textcoords="offset points",
            verticalalignment="center",
            fontsize=9,
            bbox={"boxstyle": "square,pad=0.15", "facecolor": "white", "edgecolor": "none"},
        )
    axes.axvline(1, color="black", linewidth=1, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(shown)), [row.name for row in reversed(shown)], fontsize=9)
    axes.set_xlim(0, 1.5 * max(1.0, *(patch.get_width() for patch in axes.patches), 0.0))  # room for the numbers
    axes.set_xlabel("what was reached, as a share of the goal: 1 is the goal (thin lines: lowest to highest turn)")
    axes.set_title(
        f"cytotag: ratios of speed against their goals (blue: met, orange: not met)\n{caption}", fontsize=10, loc="left"
    )
    axes.spines[["top", "right"]].set_visible(False)
    picture.savefig(path, dpi=120)


def _goal(row: RowResult) -> str:
    return "" if row.goal is None else f"{'≤' if row.goal_is_most else '≥'} {row.goal:g}"


def _width(attained: float) -> float:
    return 0.0 if math.isnan(attained) else min(attained, LONGEST_BAR)


def _without_nan(value: Any) -> Any:
    """The same, with null for what is not a number: JSON has none."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _without_nan(one) for name, one in value.items()}
    return [_without_nan(one) for one in value] if isinstance(value, list | tuple) else value
