"""What `cytotag evaluate` prints: scores in percent, in tables of 80 columns."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from rich.console import RenderableType
from rich.table import Table

from pipelines.evaluating.bootstrap import RESAMPLES
from pipelines.evaluating.calibration import BINS, Calibration
from pipelines.evaluating.chunks import Predicted
from pipelines.evaluating.errors import CLASSES, RIGHT, ErrorTable
from pipelines.evaluating.evaluation import DEFINITIONS, FAMILIES, RELAXED, Evaluation
from pipelines.evaluating.scores import Interval, Score, Scores
from pipelines.tables import literal

CONFUSIONS_SHOWN = 8

RELAXED_NAMES = {"overlap": "overlap", "left": "same start", "right": "same end"}

ABOUT_THE_ERRORS = """\
Pairs of a gold and a predicted chunk, one to one. type: same span, another entity. boundary: they overlap, same \
entity. boundary+type: they overlap, another entity. missed: gold chunks without a partner. spurious: predicted chunks \
without one, by their own entity; all else is by the gold's. gold = all but spurious, predicted = all but missed."""


def report(evaluation: Evaluation) -> Iterator[RenderableType]:
    """All that is said of one prediction, the headline first."""
    yield typed_table(evaluation.scores["T"])
    yield ""
    yield family_table(evaluation)
    yield from about_families(evaluation.scores)
    yield ""
    yield word_table(evaluation.scores["K"])
    yield ""
    yield error_table(evaluation.entities, evaluation.errors)
    yield ABOUT_THE_ERRORS
    if evaluation.errors.confusions:
        yield ""
        yield confusion_table(evaluation.errors)
    yield ""
    if evaluation.calibration.error is not None:
        yield calibration_table(evaluation.calibration)
    yield from about_calibration(evaluation.calibration)
    yield ""
    yield from notes(evaluation)


def typed_table(scores: Scores) -> Table:
    """The scores of family T, by entity and over all."""
    return _label_table("T typed strict: exact span and entity", "entity", scores)


def word_table(scores: Scores) -> Table:
    """The scores of family K, by tag and over all."""
    return _label_table("K token level: tags of words", "tag", scores)


def _label_table(title: str, heading: str, scores: Scores) -> Table:
    table = _table(title, heading, ("precision", "recall", "F1", "95 %", "gold", "predicted"))
    for label, score in scores.by_label.items():
        table.add_row(literal(label), *_percents(score), f"{score.gold:,}", f"{score.predicted:,}")
    table.add_section()
    table.add_row("all (micro)", *_percents(scores.micro), f"{scores.micro.gold:,}", f"{scores.micro.predicted:,}")
    return table


def family_table(evaluation: Evaluation) -> Table:
    """The four families and the relaxed ways, over all."""
    table = _table("All families, micro", "family", ("precision", "recall", "F1", "95 %", "gold"))
    for letter, name in FAMILIES.items():
        scores = evaluation.scores[letter]
        of = scores.micro
        cells = [*_percents(of), f"{of.gold:,}"] if scores.by_label else ["-"] * 5
        table.add_row(f"{letter} {name}", *cells)
    table.add_section()
    for how in RELAXED:
        of = evaluation.scores[how].micro
        table.add_row(RELAXED_NAMES[how], *_percents(of), f"{of.gold:,}")
    return table


def about_families(scores: Mapping[str, Scores]) -> Iterator[str]:
    """Lines on what each family is, and what else is to be said of the scores."""
    for name, definition in DEFINITIONS.items():
        yield f"{name}: {definition}."
    yield f"95 %: bootstrap over documents, {RESAMPLES:,} resamples."
    macro = ", ".join(f"{letter} {100 * scores[letter].macro_f1:.2f}" for letter in "TK")
    yield f"Macro F1, the mean over the labels of the gold: {macro}."


def error_table(entities: Iterable[str], errors: ErrorTable) -> Table:
    """Gold chunks by class of error, and spurious predicted chunks, by entity and over all."""
    table = _table("Errors", "entity", CLASSES)
    counts = errors.gold.copy()
    counts[:, -1] = errors.predicted[:, -1]
    for entity, row in zip(entities, counts.tolist(), strict=True):
        table.add_row(literal(entity), *(f"{count:,}" for count in row))
    table.add_section()
    total = counts.sum(axis=0)
    wrong = np.delete(total, RIGHT)
    table.add_row("all", *(f"{count:,}" for count in total.tolist()))
    table.add_row("% of errors", "", *(f"{100 * count / max(1, wrong.sum()):.1f}" for count in wrong.tolist()))
    return table


def confusion_table(errors: ErrorTable) -> Table:
    """The most frequent wrong entities."""
    table = _table("Most frequent confusions", "gold", ("predicted as", "same span", "another span"))
    table.columns[1].justify = "left"
    for (of, as_), counts in list(errors.confusions.items())[:CONFUSIONS_SHOWN]:
        table.add_row(literal(of), literal(as_), *(f"{count:,}" for count in counts))
    return table


def calibration_table(calibration: Calibration) -> Table:
    """Scores against the share of right chunks; bins without chunks are left out."""
    table = _table("Calibration of the scores", "score", ("chunks", "mean score", "right"))
    for one in calibration.bins:
        if one.chunks:
            bounds, share = f"{100 * one.low:.1f}–{100 * one.high:.1f}", 100 * one.right / one.chunks
            table.add_row(bounds, f"{one.chunks:,}", f"{100 * one.mean_score:.2f}", f"{share:.2f}")
    return table


def about_calibration(calibration: Calibration) -> Iterator[str]:
    """Lines on the calibration error, and on chunks without a score."""
    if calibration.error is None:
        yield "no calibration: the predictions have no scores"
        return
    yield (
        f"ECE {100 * calibration.error:.2f}: how far the share of right chunks (exact span and entity) is from the "
        f"mean score, the mean over chunks; {BINS} bins of equal width over 0 to 100."
    )
    if calibration.without_score:
        yield f"{calibration.without_score:,} chunks have no score and are left out of it"


def notes(evaluation: Evaluation) -> Iterator[str]:
    """Lines on what the scores do not show."""
    if not evaluation.scores["P"].by_label:
        yield "P is left out: nothing is called protein"
    if evaluation.documents == 1:
        yield "no intervals: there is but one document to resample"
    yield from _notes_on(evaluation.predicted, evaluation.documents)
    for count, what in (
        (evaluation.unplaced, "gold entities are left out: another text stands at their offsets than their file says"),
        (evaluation.fragmented, "gold entities are in fragments: scored from the first to the last of them"),
    ):
        if count:
            yield f"{count:,} {what}"
    if evaluation.comparison:
        for line in _notes_on(evaluation.comparison.other, evaluation.documents):
            yield f"compared: {line}"


def _notes_on(predicted: Predicted, documents: int) -> Iterator[str]:
    yield f"{documents:,} gold documents, {predicted.documents_without_chunks:,} with no prediction row"
    for count, what in (
        (len(predicted.documents_not_in_gold), "predicted documents are not in the gold: not scored"),
        (predicted.duplicates, "chunks are predicted twice: scored once"),
        (predicted.wrong_offsets, "chunks have another text than the gold at their offsets"),
    ):
        if count:
            yield f"{count:,} {what}"


def _percents(score: Score) -> list[str]:
    values = (score.precision, score.recall, score.f1)
    return [*(f"{100 * value:.2f}" for value in values), _interval(score.f1_interval)]


def _interval(of: Interval | None) -> str:
    return "-" if of is None else "–".join(f"{100 * bound:.2f}" for bound in of)


def _table(title: str, first: str, others: Iterable[str]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for heading in others:
        table.add_column(heading, justify="right")
    return table
