from dataclasses import dataclass

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.isolation import isolate_documents, set_aside
from pipelines.schema import DOCUMENT


def documents(texts):
    rows = [
        {
            "document_id": f"{i}",
            "source": "a",
            "source_version": "",
            "ordinal": i,
            "last": False,
            "text": text,
            "metadata": [("year", "1999")],
            "error": "was broken" if text is None else None,
        }
        for i, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, schema=DOCUMENT)


@dataclass(frozen=True, kw_only=True)
class Upper:
    """A stage that fails on a batch with `poison` in it."""

    poison: str | None = "poison"

    @isolate_documents
    def transform(self, table):
        texts = table["text"].to_pylist()
        if self.poison in texts:
            raise RuntimeError("bad\n  luck")
        upper = pa.array([text and text.upper() for text in texts], pa.string())
        return table.set_column(DOCUMENT.get_field_index("text"), DOCUMENT.field("text"), upper)


TEXTS = st.lists(st.sampled_from(["good", "poison", "", None]), min_size=1, max_size=40)


@given(TEXTS, st.integers(1, 5))
def test_exactly_the_poisoned_rows_are_set_aside_wherever_they_stand(texts, chunk):
    table = documents(texts)
    table = pa.concat_tables(table.slice(at, chunk) for at in range(0, len(texts), chunk))
    found = Upper().transform(table)
    reason = "Upper failed: RuntimeError: bad luck"
    assert found["error"].to_pylist() == [{"poison": reason, None: "was broken"}.get(text) for text in texts]
    assert found["text"].to_pylist() == [None if text == "poison" else text and text.upper() for text in texts]
    rest = [name for name in DOCUMENT.names if name not in ("text", "error")]
    assert found.select(rest).equals(table.select(rest))
    assert found.schema.equals(DOCUMENT)


def test_a_good_batch_goes_through_at_once():
    seen = []

    class Stage:
        @isolate_documents
        def transform(self, table):
            seen.append(table.num_rows)
            return table

    Stage().transform(documents(["a"] * 100))
    assert seen == [100]


def test_one_bad_document_costs_few_more_calls():
    calls = []

    class Stage:
        @isolate_documents
        def transform(self, table):
            calls.append(table.num_rows)
            if "poison" in table["text"].to_pylist():
                raise RuntimeError
            return table

    Stage().transform(documents(["a"] * 63 + ["poison"]))
    assert len(calls) == 1 + 2 * 6 + 1  # two halves each time, and the document once more, set aside


@pytest.mark.parametrize("texts", [["good"], ["good", "good"], [None], ["good", None], []])
def test_a_stage_that_fails_without_a_text_to_blame_is_a_crash(texts):
    class Broken:
        @isolate_documents
        def transform(self, _table):
            raise FileNotFoundError("tokenizer.json")

    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json"):
        Broken().transform(documents(texts))


def test_an_interrupt_is_not_a_bad_document():
    class Interrupted:
        @isolate_documents
        def transform(self, _table):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Interrupted().transform(documents(["a", "b"]))


def test_rows_set_aside_keep_all_but_text():
    table = documents(["a", "b"])
    found = set_aside(table, "why")
    assert found.schema.equals(DOCUMENT)
    assert found["error"].to_pylist() == ["why", "why"]
    assert found["text"].null_count == 2
    assert found.drop_columns(["text", "error"]).equals(table.drop_columns(["text", "error"]))
    assert set_aside(table.slice(0, 0), "why").equals(DOCUMENT.empty_table())
