"""The formats that documents are converted to, by name."""

from collections.abc import Iterable, Iterator
from typing import Literal

import pyarrow as pa

from pipelines.exports import bioc_json, bioc_xml, brat, conll, csv_rows, jsonl, parquet, pubtator, spark

ExportFormat = Literal[
    "csv", "bioc-xml", "bioc-json", "pubtator", "brat", "conll", "spark", "jsonl", "documents", "parquet"
]


def export_files(to: ExportFormat, name: str, tables: Iterable[pa.Table]) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The files that these documents (DOCUMENT_ROW) make: the path of each under the output folder, and its content.

    Args:
        to: The format.
        name: Of the file; of a folder of files for brat.
        tables: Read once, as the content is. A file's content is to be taken before the next file.
    """
    if to == "brat":
        for file, content in brat.render(tables):
            yield f"{name}/{file}", [content]
    else:
        render, suffix = _ONE_FILE[to]
        yield f"{name}{suffix}", render(tables)


_ONE_FILE = {
    "csv": (csv_rows.render, csv_rows.SUFFIX),
    "bioc-xml": (bioc_xml.render, bioc_xml.SUFFIX),
    "bioc-json": (bioc_json.render, bioc_json.SUFFIX),
    "pubtator": (pubtator.render, pubtator.SUFFIX),
    "conll": (conll.render, conll.SUFFIX),
    "spark": (spark.render, spark.SUFFIX),
    "jsonl": (jsonl.render, jsonl.SUFFIX),
    "documents": (parquet.render_documents, parquet.SUFFIX),
    "parquet": (parquet.render_chunks, parquet.SUFFIX),
}
