"""DocumentAssembler: records as they were read become documents."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.schema import DOCUMENT


def default_document_id(source: str, ordinal: int) -> str:
    """The id of a document whose record names none: the file's name and the number of the record in it, from 1."""
    return f"{source.replace(chr(92), '/').rsplit('/', 1)[-1]}:{ordinal + 1}"


@dataclass(frozen=True, kw_only=True)
class DocumentAssembler:
    """Records (DOCUMENT, but `document_id` may be null) to documents (DOCUMENT).

    One record in, one document out, in the same order: ids and metadata pass through, a null or empty text stays a
    row. The text is never cleaned. Each of the `cleanupMode`s of Spark NLP's DocumentAssembler, `disabled` apart,
    changes it, and offsets would then no longer be those of the text that the user has.
    """

    def transform(self, table: pa.Table) -> pa.Table:
        """Gives every document an id."""
        unnamed = pc.is_null(table["document_id"])
        if pc.any(unnamed, min_count=0).as_py():
            ids = [
                document_id if document_id is not None else default_document_id(source, ordinal)
                for document_id, source, ordinal in zip(
                    table["document_id"].to_pylist(),
                    table["source"].to_pylist(),
                    table["ordinal"].to_pylist(),
                    strict=True,
                )
            ]
            index = table.schema.get_field_index("document_id")
            table = table.set_column(index, DOCUMENT.field("document_id"), pa.array(ids, pa.string()))
        return table.select(DOCUMENT.names).cast(DOCUMENT)
