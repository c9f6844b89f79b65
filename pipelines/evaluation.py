"""Scores predicted chunks against gold annotations: exact span and entity (family T), F1 over all chunks.

Published "JNLPBA F1" figures are of several families; scores without types, of proteins alone or of single words are
points higher on the same output, and must not be compared with these.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.outputs.dataset import chunk_tables
from pipelines.outputs.manifest import NAME as MANIFEST
from pipelines.schema import CHUNK_ROW
from pipelines.storage import Location, arrow

Span = tuple[int, int, str]
"""start, end (half-open code points of the document's text), entity"""

PREDICTION = pa.schema([CHUNK_ROW.field(name) for name in ("document_id", "start", "end", "entity", "text")])


class EvaluationError(ValueError):
    """Gold documents or predictions that cannot be scored; the message names the file and the line."""


@dataclass(frozen=True, kw_only=True)
class GoldDocument:
    """A text and its annotations. The same span annotated twice as the same entity is one annotation."""

    text: str
    entities: frozenset[Span]


@dataclass(frozen=True, kw_only=True)
class Score:
    """Counts of chunks, and what follows from them, 0 to 1. A ratio of nothing to nothing is 0."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0

    @property
    def precision(self) -> float:
        """The share of the predicted chunks that are in the gold."""
        return self.true_positives / max(1, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """The share of the gold chunks that are predicted."""
        return self.true_positives / max(1, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.true_positives / max(1, 2 * self.true_positives + self.false_positives + self.false_negatives)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """How predicted chunks compare with the gold. Documents outside the gold are counted, and score nothing."""

    by_entity: Mapping[str, Score]
    """The score of each entity in the gold or the predictions, by name."""
    documents: int
    """Documents in the gold."""
    documents_without_prediction_row: int
    """Those of them for which nothing is predicted: rightly, or because they were never tagged."""
    documents_not_in_gold: Mapping[str, int]
    """Predicted chunks of each document that the gold does not have, by document id."""
    duplicates: int
    """Predicted chunks that repeat a document, span and entity. They are scored once."""
    wrong_offsets: int
    """Predicted chunks whose text is not the gold text's at their offsets: 0, or the texts differ. They are scored."""

    @property
    def micro(self) -> Score:
        """The score over the chunks of all entities together."""
        scores = self.by_entity.values()
        return Score(
            true_positives=sum(score.true_positives for score in scores),
            false_positives=sum(score.false_positives for score in scores),
            false_negatives=sum(score.false_negatives for score in scores),
        )


def evaluate(gold: Mapping[str, GoldDocument], predicted: pa.Table) -> Evaluation:
    """Compares predictions with the gold.

    Args:
        gold: Documents by id, as `read_gold` gives them.
        predicted: Chunks in any order, as `read_predictions` gives them. Schema: `PREDICTION`; other columns are left.
    """
    spans: dict[str, set[Span]] = {document_id: set() for document_id in gold}
    not_in_gold: Counter[str] = Counter()
    duplicates = wrong_offsets = 0
    columns = [predicted.column(name).to_pylist() for name in PREDICTION.names]
    for document_id, start, end, entity, text in zip(*columns, strict=True):
        if document_id not in gold:
            not_in_gold[document_id] += 1
            continue
        duplicates += (start, end, entity) in spans[document_id]
        spans[document_id].add((start, end, entity))
        wrong_offsets += start < 0 or gold[document_id].text[start:end] != text

    found, missed, spurious = Counter[str](), Counter[str](), Counter[str]()
    for document_id, document in gold.items():
        found.update(entity for *_, entity in document.entities & spans[document_id])
        missed.update(entity for *_, entity in document.entities - spans[document_id])
        spurious.update(entity for *_, entity in spans[document_id] - document.entities)
    return Evaluation(
        by_entity={
            entity: Score(
                true_positives=found[entity], false_positives=spurious[entity], false_negatives=missed[entity]
            )
            for entity in sorted({*found, *missed, *spurious})
        },
        documents=len(gold),
        documents_without_prediction_row=sum(not chunks for chunks in spans.values()),
        documents_not_in_gold=dict(sorted(not_in_gold.items())),
        duplicates=duplicates,
        wrong_offsets=wrong_offsets,
    )


def read_gold(path: Path) -> dict[str, GoldDocument]:
    """Reads gold annotations, a JSON object a line: `document_id`, `text`, `entities` of `start`, `end`, `entity`.

    Raises:
        EvaluationError: The file has no documents, or a line is not such an object, repeats a document id, or has an
            entity that is not within its text. The message names the file and the line.
    """
    gold: dict[str, GoldDocument] = {}
    for place, record in _read_json_lines(path):
        document_id, text = _get(record, "document_id", str, place), _get(record, "text", str, place)
        if document_id in gold:
            raise EvaluationError(f"{place}: document_id {document_id!r} stands on an earlier line too")
        entities = set()
        for entity in _get(record, "entities", list, place):
            if not isinstance(entity, dict):
                raise EvaluationError(f"{place}: an entity is not a JSON object: {entity!r}")
            start, end = _get(entity, "start", int, place), _get(entity, "end", int, place)
            if not 0 <= start < end <= len(text):
                raise EvaluationError(
                    f"{place}: entity [{start}, {end}) is not within its text of {len(text)} code points"
                )
            entities.add((start, end, _get(entity, "entity", str, place)))
        gold[document_id] = GoldDocument(text=text, entities=frozenset(entities))
    if not gold:
        raise EvaluationError(f"{path}: no documents")
    return gold


def read_predictions(folder: Location) -> pa.Table:
    """Reads the committed parts of an output folder, or, in a folder of somebody else's, all .parquet or .jsonl files.

    Names that begin with "_" or "." are passed over.

    Returns:
        The chunks of all parts. Schema: `PREDICTION`.

    Raises:
        EvaluationError: The folder has no parts, or parts of both formats, or a part cannot be read, or lacks a column
            or a value. The message names the file, and the line of a .jsonl part.
        OutputError: The folder holds a run of ours that is damaged.
    """
    try:
        if (folder / MANIFEST).exists():
            chunks = (rows.select(PREDICTION.names) for rows in chunk_tables(folder))
            return pa.concat_tables([PREDICTION.empty_table(), *chunks])
        parts = _parts(folder)
    except OSError as error:
        raise EvaluationError(f"{folder}: cannot be read ({error.strerror}); check it and its permissions") from error
    formats = sorted({path.suffix for path in parts})
    if len(formats) != 1:
        raise EvaluationError(f"{folder}: {'both .jsonl and .parquet' if formats else 'no .jsonl or .parquet'} parts")
    return pa.concat_tables([_READERS[path.suffix](path) for path in parts])


def _parts(folder: Location) -> list[Location]:
    files: list[Location] = sorted(folder.rglob("*"))
    inside = len(str(folder))
    return [
        path
        for path in files
        if path.suffix in _READERS and not any(name[:1] in ("_", ".") for name in str(path)[inside:].split("/") if name)
    ]


def _read_parquet_part(path: Location) -> pa.Table:
    try:
        filesystem, name = arrow(path)
        part = pq.ParquetFile(name, filesystem=filesystem).read(PREDICTION.names)
    except (pa.ArrowException, OSError) as error:  # Arrow raises OSError for damaged pages
        raise EvaluationError(f"{path}: not a Parquet file that can be read: {str(error).splitlines()[0]}") from error
    for name in PREDICTION.names:
        if name not in part.column_names:
            raise EvaluationError(f"{path}: no column {name!r}")
        if part.column(name).null_count:
            raise EvaluationError(f"{path}: column {name!r} has nulls")
    try:
        return part.select(PREDICTION.names).cast(PREDICTION)
    except pa.ArrowException as error:
        raise EvaluationError(f"{path}: {str(error).splitlines()[0]}") from error


def _read_json_lines_part(path: Location) -> pa.Table:
    kinds = [int if pa.types.is_integer(child.type) else str for child in PREDICTION]
    columns: list[list[Any]] = [[] for _ in kinds]
    for place, record in _read_json_lines(path):
        for column, name, kind in zip(columns, PREDICTION.names, kinds, strict=True):
            column.append(_get(record, name, kind, place))
    try:
        return pa.table(columns, schema=PREDICTION)
    except (pa.ArrowException, UnicodeError) as error:
        raise EvaluationError(f"{path}: {str(error).splitlines()[0]}") from error


_READERS = {".parquet": _read_parquet_part, ".jsonl": _read_json_lines_part}


def _read_json_lines(path: Location) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each record, and where it stands; blank lines are passed over."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            place = f"{path}, line {number}"
            try:
                record = json.loads(line)
            except ValueError as error:
                raise EvaluationError(f"{place}: not JSON: {error}") from error
            if not isinstance(record, dict):
                raise EvaluationError(f"{place}: not a JSON object")
            yield place, record


def _get(record: dict[str, Any], name: str, kind: type, place: str) -> Any:
    if name not in record:
        raise EvaluationError(f"{place}: no {name!r}")
    value = record[name]
    if type(value) is not kind:  # not isinstance: true and false are ints to it
        raise EvaluationError(f"{place}: {name!r} is {value!r:.40}, not {_KINDS[kind]}")
    return value


_KINDS: dict[type, str] = {str: "a string", int: "an integer", list: "a list"}
