"""What came out of a verification."""

from collections.abc import Iterable
from dataclasses import dataclass, field

LINES_KEPT = 20


@dataclass(kw_only=True)
class Check:
    """One question, and how often the answer was no."""

    name: str
    looked_at: str
    problems: int = 0


@dataclass(kw_only=True)
class Verdict:
    """What was asked and what came out.

    Attributes:
        checks: In the order in which they were made.
        lines: The first `LINES_KEPT` things that are wrong, a line each.
        remarks: What is worth a line and not wrong.
    """

    checks: list[Check] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def problems(self) -> int:
        """How many things are missing, double or wrong."""
        return sum(check.problems for check in self.checks)

    def begin(self, name: str, looked_at: str) -> Check:
        """Adds a check."""
        self.checks.append(Check(name=name, looked_at=looked_at))
        return self.checks[-1]

    def add(self, check: Check, problems: Iterable[str]) -> None:
        """Counts problems, and keeps the first lines."""
        for line in problems:
            check.problems += 1
            if len(self.lines) < LINES_KEPT:
                self.lines.append(" ".join(line.split()))  # what a library says may have line ends
