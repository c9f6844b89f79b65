"""A document that breaks a stage becomes an error row; the documents beside it, and the job, live on."""

import functools
from collections.abc import Callable
from typing import Any

import pyarrow as pa

Transform = Callable[[Any, pa.Table], pa.Table]


def isolate_documents(transform: Transform) -> Transform:
    """Wraps a stage's `transform`: when a batch fails it is halved until the one document that fails is found.

    That document's `error` then names the exception and its text is taken away, so that this stage and all later
    ones pass it by.
    """

    @functools.wraps(transform)
    def isolated(stage: Any, table: pa.Table) -> pa.Table:
        try:
            return transform(stage, table)
        except Exception as error:
            if table.num_rows == 0 or (table.num_rows == 1 and table["error"][0].is_valid):
                raise  # no document to blame: the stage itself is broken
            if table.num_rows == 1:
                message = " ".join(str(error).split())  # one line: it is for the summary, too
                reason = f"{type(stage).__name__} failed: {type(error).__name__}: {message}"
                return transform(stage, set_aside(table, reason))
        middle = table.num_rows // 2
        return pa.concat_tables([isolated(stage, table.slice(0, middle)), isolated(stage, table.slice(middle))])

    return isolated


def classify(classifier: Any, table: pa.Table) -> pa.Table:
    """TOKEN to TAG by a TokenClassifier; a document that it raises on is set aside.

    Raises:
        ModelError: It fails on its trial run as well: no document is to blame.
    """
    tagged = _classify(classifier, table)
    if tagged["error"].null_count < table["error"].null_count:
        classifier.check()
    return tagged


@isolate_documents
def _classify(classifier: Any, table: pa.Table) -> pa.Table:
    return classifier(table)


def set_aside(table: pa.Table, reason: str) -> pa.Table:
    """The same rows as error rows: `error` says why, `text` is null, and lists of what was found in it are empty."""
    values: dict[str, object] = {"text": None, "error": reason} | {
        f.name: [] for f in table.schema if pa.types.is_list(f.type)
    }
    for name, value in values.items():
        index = table.schema.get_field_index(name)
        field = table.schema.field(index)
        table = table.set_column(index, field, pa.array([value] * table.num_rows, type=field.type))
    return table
