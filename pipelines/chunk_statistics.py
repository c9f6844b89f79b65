"""What is in the chunks of a dataset, in numbers: counts, scores, the most frequent texts. Pure, in bounded memory."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.schema import CHUNK_ROW

SCORE_BINS = 20
"""Of equal width, over 0 to 1."""

TEXTS_SHOWN = 10
"""Of each entity."""

TEXTS_KEPT = 200_000
"""Different texts that are counted, of all entities; twice as many are held before the rarest are dropped."""

_TEXT_COUNTS = pa.schema(
    [
        pa.field("entity", pa.string(), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),  # chunks
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),  # sum
    ]
)


@dataclass(frozen=True, kw_only=True)
class TextCount:
    """A text that was found: in how many chunks, in how many documents, and their mean score."""

    text: str
    count: int
    documents: int
    mean_score: float


@dataclass(frozen=True, kw_only=True)
class EntityStatistics:
    """The chunks of one entity.

    Attributes:
        entity: Its name.
        count: Chunks.
        documents: Documents with such a chunk.
        mean_score: Of the chunks.
        scores: Chunks by score, `SCORE_BINS` bins; a bin begins at its lower bound.
        texts: The most frequent, in descending order.
        distinct: Different texts; None where too many were found to count them all.
        too_low: By how much the numbers of `texts` may be too low; 0 means that they are exact.
    """

    entity: str
    count: int
    documents: int
    mean_score: float
    scores: tuple[int, ...]
    texts: tuple[TextCount, ...]
    distinct: int | None
    too_low: int


class ChunkStatistics:
    """Takes the chunks of a dataset some at a time. Everything but the texts is exact, whatever their number.

    Texts are told apart by case, since `Il2` and `IL2` are two genes; white space counts as one space.

    Args:
        texts_kept: See `TEXTS_KEPT`.
    """

    def __init__(self, texts_kept: int = TEXTS_KEPT) -> None:
        self._kept = texts_kept
        self._texts = _TEXT_COUNTS.empty_table()
        self._too_low: Counter[str] = Counter()
        self._documents: Counter[str] = Counter()
        self._score_sums: Counter[str] = Counter()
        self._scores: dict[str, npt.NDArray[np.int64]] = {}
        self._chunks_per_document: Counter[int] = Counter()

    @property
    def chunks_per_document(self) -> dict[int, int]:
        """How many documents have so many chunks, by that number, ascending; those with none are not known here."""
        return dict(sorted(self._chunks_per_document.items()))

    def add(self, rows: pa.Table) -> None:
        """Counts chunks (CHUNK_ROW) of whole documents, as `whole_documents` gives them."""
        if not rows.num_rows:
            return
        document = _document_numbers(rows)
        for chunks, documents in zip(*np.unique(np.bincount(document), return_counts=True), strict=True):
            self._chunks_per_document[int(chunks)] += int(documents)
        columns = {"entity": rows["entity"], "text": one_spaced(rows["text"]), "document": pa.array(document)}
        scores = rows["score"].cast(pa.float64())
        score_bin = np.minimum((scores.to_numpy() * SCORE_BINS).astype(np.int64), SCORE_BINS - 1)
        self._add_scores(pa.table({"entity": rows["entity"], "score": scores, "bin": score_bin}))
        by_document = _sums(pa.table({**columns, "score": scores}), "entity", "text", "document")
        for one in _count(_count(by_document, "entity", "document"), "entity").to_pylist():
            self._documents[one["entity"]] += one["count"]
        self._add_texts(by_document)

    def _add_scores(self, rows: pa.Table) -> None:
        for one in _sums(rows, "entity", "bin").to_pylist():
            counts = self._scores.setdefault(one["entity"], np.zeros(SCORE_BINS, np.int64))
            counts[one["bin"]] += one["count"]
            self._score_sums[one["entity"]] += one["score"]

    def _add_texts(self, by_document: pa.Table) -> None:
        aggregates = [("count", "sum"), ("document", "count"), ("score", "sum")]
        new = by_document.group_by(["entity", "text"]).aggregate(aggregates).rename_columns(_TEXT_COUNTS.names)
        both = pa.concat_tables([self._texts, new.cast(_TEXT_COUNTS)]).group_by(["entity", "text"])
        aggregates = [(name, "sum") for name in ("count", "documents", "score")]
        self._texts = both.aggregate(aggregates).rename_columns(_TEXT_COUNTS.names).cast(_TEXT_COUNTS)
        if self._texts.num_rows > 2 * self._kept:
            self._drop_the_rarest()

    def _drop_the_rarest(self) -> None:
        """Leaves each entity its equal share. What is dropped may come again: it had no more than the first of it."""
        entities = self._texts["entity"].unique().to_pylist()
        share = max(self._kept // len(entities), TEXTS_SHOWN)
        kept = []
        for entity in entities:
            rows = _most_frequent(self._texts, entity, share + 1)
            if rows.num_rows > share:
                self._too_low[entity] += rows["count"][share].as_py()
            kept.append(rows.slice(0, share))
        self._texts = pa.concat_tables(kept).combine_chunks()

    def entities(self) -> tuple[EntityStatistics, ...]:
        """The entities that were found, the most frequent first."""
        found = [self._entity(entity, scores) for entity, scores in self._scores.items()]
        return tuple(sorted(found, key=lambda one: (-one.count, one.entity)))

    def _entity(self, entity: str, scores: npt.NDArray[np.int64]) -> EntityStatistics:
        count, too_low = int(scores.sum()), self._too_low[entity]
        texts = _most_frequent(self._texts, entity, TEXTS_SHOWN).to_pylist()
        distinct = pc.sum(pc.equal(self._texts["entity"], entity)).as_py()
        return EntityStatistics(
            entity=entity,
            count=count,
            documents=self._documents[entity],
            mean_score=self._score_sums[entity] / count,
            scores=tuple(scores.tolist()),
            texts=tuple(
                TextCount(
                    text=one["text"],
                    count=one["count"],
                    documents=one["documents"],
                    mean_score=one["score"] / one["count"],
                )
                for one in texts
            ),
            distinct=None if too_low else distinct,
            too_low=too_low,
        )


def whole_documents(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same chunks (CHUNK_ROW), in tables that end where a document does. The chunks of a document are together."""
    held = CHUNK_ROW.empty_table()
    for table in tables:
        rows = pa.concat_tables([held, table]).combine_chunks()
        document = _document_numbers(rows)
        end = int(np.searchsorted(document, document[-1])) if rows.num_rows else 0
        yield rows.slice(0, end)
        held = rows.slice(end)
    yield held


def one_spaced(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The texts with each run of white space made one space: a line end in a phrase makes no other phrase of it."""
    return pc.replace_substring_regex(texts, r"\s+", " ")


def _document_numbers(rows: pa.Table) -> npt.NDArray[np.int64]:
    """A number for each row, from 0, that goes up by one where another document begins. *Shape:* (rows,)."""
    ordinal = rows["ordinal"].to_numpy()
    source = rows["source"].combine_chunks().dictionary_encode().indices.to_numpy()
    begins = (np.diff(ordinal) != 0) | (np.diff(source) != 0)
    return np.concatenate([[0][: len(ordinal)], np.cumsum(begins)]).astype(np.int64)


def _sums(rows: pa.Table, *keys: str) -> pa.Table:
    """Groups with the number of their rows, `count`, and the sum of their `score`."""
    groups = rows.group_by([*keys]).aggregate([("score", "count"), ("score", "sum")])
    return groups.rename_columns([*keys, "count", "score"])


def _count(rows: pa.Table, *keys: str) -> pa.Table:
    """Groups with the number of their rows, `count`."""
    return rows.group_by([*keys]).aggregate([([], "count_all")]).rename_columns([*keys, "count"])


def _most_frequent(texts: pa.Table, entity: str, number: int) -> pa.Table:
    """So many of the texts of an entity (_TEXT_COUNTS), in descending order; of equals, by text."""
    rows = texts.filter(pc.equal(texts["entity"], entity))
    return rows.take(pc.select_k_unstable(rows, number, sort_keys=[("count", "descending"), ("text", "ascending")]))
