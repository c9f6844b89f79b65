"""What `cytotag evaluate` prints of two predictions, and of single errors."""

from collections.abc import Iterable, Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from pipelines.commands.evaluation_tables import RELAXED_NAMES
from pipelines.evaluating.comparison import Comparison, Difference
from pipelines.evaluating.evaluation import FAMILIES, Evaluation
from pipelines.evaluating.examples import Example, Place
from pipelines.tables import literal

ABOUT_THE_COMPARISON = """\
difference: these - other, both on the same resamples. p: two-sided, twice the share of resamples on the rarer side \
of 0."""


def report(evaluation: Evaluation) -> Iterator[RenderableType]:
    """Examples, where they were asked for, and the comparison, where there is one."""
    yield from example_lines(evaluation.examples)
    if evaluation.comparison:
        yield ""
        yield difference_table(evaluation.comparison)
        yield ABOUT_THE_COMPARISON
        yield ""
        yield shared_table(evaluation.comparison)


def difference_table(comparison: Comparison) -> Table:
    """F1 of both and how far they are apart, by way to score, and in family T by entity."""
    table = Table(title="F1 of these predictions and of the others", title_justify="left")
    table.add_column("")
    for heading in ("these", "other", "difference", "95 %", "p"):
        table.add_column(heading, justify="right")
    names = {letter: f"{letter} {name}" for letter, name in FAMILIES.items()} | RELAXED_NAMES
    for way, name in names.items():
        table.add_row(name, *_cells(comparison.micro[way]), end_section=way in ("K", "right"))
    for entity, one in comparison.by_entity.items():
        table.add_row(literal(f"T {entity}"), *_cells(one))
    return table


def _cells(one: Difference) -> list[str]:
    f1s = (f"{100 * value:.2f}" for value in (one.first, one.second))
    p = "-" if one.p is None else f"{one.p:.3f}"
    bounds = "-" if one.interval is None else " to ".join(f"{100 * bound:+.2f}" for bound in one.interval)
    return [*f1s, f"{100 * one.difference:+.2f}", bounds, p]


def shared_table(comparison: Comparison) -> Table:
    """Which chunks both have, only one, or neither."""
    table = Table(title="Chunks with exact span and entity, by who predicts them", title_justify="left")
    table.add_column("")
    for heading in ("both", "only these", "only other", "neither"):
        table.add_column(heading, justify="right")
    rows = [[one.both, one.only_first, one.only_second, one.neither] for one in comparison.found.values()]
    for entity, row in zip(comparison.found, rows, strict=True):
        table.add_row(literal(entity), *(f"{count:,}" for count in row))
    table.add_section()
    table.add_row("all of the gold", *(f"{sum(column):,}" for column in zip(*rows, strict=True)))
    wrong = comparison.wrong
    table.add_row("not in the gold", *(f"{count:,}" for count in (wrong.both, wrong.only_first, wrong.only_second)))
    return table


def example_lines(examples: Iterable[Example]) -> Iterator[Text]:
    """The examples, class by class: the gold chunk in [ ], the predicted one in { }, and the text around them."""
    error = None
    for one in examples:
        if one.error != error:
            error = one.error
            yield Text(f"\n{error}: [gold] {{predicted}}")
        sides = [(place, brackets) for place, brackets in ((one.gold, "[]"), (one.predicted, "{}")) if place]
        start = min(place.start for place, _ in sides)
        entities = " ".join(f"{brackets[0]}{place.entity}{brackets[1]}" for place, brackets in sides)
        yield literal(f"  {one.document_id}, {start}: {entities}")
        yield Text.assemble("    …", _line(one.before), _line(_marked(one.text, start, sides)), _line(one.after), "…")


def _marked(text: str, start: int, chunks: Iterable[tuple[Place, str]]) -> str:
    """A text that begins at `start` of its document, with chunks in their brackets."""
    marks = sorted(
        (offset - start, "}][{".index(bracket), bracket)
        for place, brackets in chunks
        for offset, bracket in zip((place.start, place.end), brackets, strict=True)
    )
    shown, at = "", 0
    for offset, _, bracket in marks:
        shown += text[at:offset] + bracket
        at = offset
    return shown


def _line(text: str) -> Text:
    """Text from outside on one line."""
    return literal(text.replace("\n", " "))
