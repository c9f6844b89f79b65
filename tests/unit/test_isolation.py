from dataclasses import dataclass

import pyarrow as pa
import pytest

from pipelines.isolation import isolate_documents, set_aside
from pipelines.nested_lists import flatten


@dataclass(frozen=True)
class Stage:
    """Cuts sentences out of texts, and breaks on a text with "bad" in it."""

    broken: bool = False

    @isolate_documents
    def transform(self, table):
        if self.broken:
            raise RuntimeError("no model")
        counts, spans = flatten(table["sentences"])
        texts = [text for text, count in zip(table["text"].to_pylist(), counts, strict=True) for _ in range(count)]
        for text, span in zip(texts, spans.to_pylist(), strict=True):
            if "bad" in text[span["start"] : span["end"]]:
                raise ValueError("a bad text")
        return table.append_column("seen", pa.array([True] * table.num_rows))


def test_one_document_fails_and_those_beside_it_do_not(sentence_table):
    texts = ["good", "also good", "a bad one", "good again", "bad too"]
    table = sentence_table([(text, [(0, len(text))]) for text in texts])
    result = Stage().transform(table)
    assert result["document_id"].to_pylist() == table["document_id"].to_pylist()
    assert result["text"].to_pylist() == ["good", "also good", None, "good again", None]
    reason = "Stage failed: ValueError: a bad text"
    assert result["error"].to_pylist() == [None, None, reason, None, reason]
    assert [len(spans) for spans in result["sentences"].to_pylist()] == [1, 1, 0, 1, 0]
    assert result["seen"].to_pylist() == [True] * 5


def test_a_stage_that_breaks_without_a_document_to_blame_breaks_the_job(sentence_table):
    with pytest.raises(RuntimeError, match="no model"):
        Stage(broken=True).transform(sentence_table([]))
    with pytest.raises(RuntimeError, match="no model"):
        Stage(broken=True).transform(set_aside(sentence_table([("a", [(0, 1)])]), "an earlier failure"))


def test_set_aside_keeps_the_schema_and_the_input(sentence_table):
    table = sentence_table([("a b", [(0, 1), (2, 3)]), ("c", [])])
    before = table.to_pylist()
    result = set_aside(table, "why")
    assert result.schema == table.schema
    assert table.to_pylist() == before
    kept = ("document_id", "source", "source_version", "ordinal", "last", "metadata")
    assert result.select(kept).equals(table.select(kept))
    assert result["sentences"].to_pylist() == [[], []]
