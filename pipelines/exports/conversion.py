"""One conversion: tables of documents in, a folder of files out, in the memory of a few tables."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.exports.folder import finish, prepare, write_file
from pipelines.exports.formats import ExportFormat, export_files
from pipelines.outputs.manifest import installed_version

REASONS_KEPT = 5


@dataclass(kw_only=True)
class Conversion:
    """What was written so far.

    Attributes:
        documents: Documents written.
        chunks: Chunks in them.
        files: Files written.
        errors: Documents in error. Only `documents` has a place for them; they are not in the files of other formats.
        reasons: Where the first of them are, and what is wrong with them.
    """

    documents: int = 0
    chunks: int = 0
    files: int = 0
    errors: int = 0
    reasons: list[str] = field(default_factory=list)


def convert(
    tables: Iterable[pa.Table],
    folder: Path,
    to: ExportFormat,
    *,
    dataset: str,
    overwrite: bool = False,
    documents_per_file: int = 10_000,
    show: Callable[[int], None] = lambda _: None,
) -> Conversion:
    """Writes documents into a folder.

    Args:
        tables: The documents (DOCUMENT_ROW). Read once, table by table.
        folder: Where to. Its note says that the conversion is running until all the files are there.
        to: The format.
        dataset: What the note says of where they come from.
        overwrite: Whether to replace the conversion that the folder holds.
        documents_per_file: The most documents in a file, or for brat in a folder of files.
        show: Told how many documents were written, now and then.

    Raises:
        OutputError: The folder is in use or cannot be written, or a document cannot be said in the format.
    """
    prepare(folder, overwrite=overwrite)
    done = Conversion()
    wanted = _counted(tables, to, done, show)
    for number, group in groupby(_numbered(wanted, documents_per_file), key=itemgetter(0)):
        pieces = (piece for _, piece in group)
        for name, content in export_files(to, f"chunks-{number:05}", pieces):
            write_file(folder, name, content)
            done.files += 1
    note = {"dataset": dataset, "format": to, "cytotag": installed_version("cytotag")}
    counts = {"documents": done.documents, "chunks": done.chunks, "files": done.files, "errors": done.errors}
    finish(folder, note | counts)
    return done


def _counted(
    tables: Iterable[pa.Table], to: ExportFormat, done: Conversion, show: Callable[[int], None]
) -> Iterator[pa.Table]:
    """The documents that the format has a place for; all are counted as they go by."""
    for table in tables:
        bad = table.filter(table["error"].is_valid())
        done.errors += bad.num_rows
        for row in bad.slice(0, REASONS_KEPT - len(done.reasons)).to_pylist():
            done.reasons.append(f"{row['source']}: {row['error']}")
        kept = table if to == "documents" else table.filter(table["error"].is_null())
        yield kept
        done.documents += kept.num_rows
        done.chunks += pc.sum(pc.list_value_length(kept["chunks"]), min_count=0).as_py()
        show(done.documents)


def _numbered(tables: Iterable[pa.Table], most: int) -> Iterator[tuple[int, pa.Table]]:
    """The documents in order, cut where a file ends, each piece with the number of its file, from 1."""
    before = 0
    for table in tables:
        rest = table
        while rest.num_rows:
            piece = rest.slice(0, most - before % most)
            yield before // most + 1, piece
            before += piece.num_rows
            rest = rest.slice(piece.num_rows)
