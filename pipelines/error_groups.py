"""The records that could not be tagged, by reason. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

EXAMPLES = 3
MOST_GROUPS = 1_000
"""Reasons told apart; what comes after is one more group."""
OTHER = "other reasons"

_NUMBER = re.compile(r"\d[\d.,]*")


@dataclass(kw_only=True)
class ErrorGroup:
    """Records that could not be tagged for the same reason.

    Attributes:
        reason: Its words, with `#` for each number.
        count: Records.
        examples: The first of them, rows of ERROR_ROW.
    """

    reason: str
    count: int = 0
    examples: list[dict[str, object]] = field(default_factory=list)


def group_errors(tables: Iterable[pa.Table]) -> tuple[ErrorGroup, ...]:
    """Groups records (ERROR_ROW) whose reasons differ in numbers only; the largest group first."""
    groups: dict[str, ErrorGroup] = {}
    for row in (row for table in tables for row in table.to_pylist()):
        reason = _NUMBER.sub("#", row["error"])
        if reason not in groups and len(groups) >= MOST_GROUPS:
            reason = OTHER
        group = groups.setdefault(reason, ErrorGroup(reason=reason))
        group.count += 1
        if len(group.examples) < EXAMPLES:
            group.examples.append(row)
    return tuple(sorted(groups.values(), key=lambda group: -group.count))
