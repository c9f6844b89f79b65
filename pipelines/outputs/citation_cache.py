"""What a run found in its PubMed files, kept in the output folder, so that the next one scans only the new files."""

import contextlib
import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.outputs.atomic_file import commit_file
from pipelines.outputs.manifest import installed_version
from pipelines.outputs.output_error import OutputError
from pipelines.schema import CITATION
from pipelines.storage import Location, arrow

CITATIONS = "_citations"
_KEY = b"cytotag"


def write_citations(folder: Location, path: str, version: str, citations: pa.Table) -> None:
    """Keeps the citations (CITATION) of one input file, in place of those of another version of it.

    Raises:
        OutputError: The folder cannot be written.
    """
    metadata = {**(citations.schema.metadata or {}), _KEY: _key(path, version)}
    kept = citations.replace_schema_metadata(metadata)
    try:
        (folder / CITATIONS).mkdir(exist_ok=True)
        commit_file(
            _file(folder, path),
            lambda file: pq.write_table(
                kept,
                file,
                compression="zstd",
                use_dictionary=False,
                column_encoding={"pmid": "DELTA_BINARY_PACKED", "version": "PLAIN", "deletion": "PLAIN"},
            ),
        )
    except OSError as error:
        raise OutputError(
            f"{folder / CITATIONS}: cannot be written ({error.strerror or error}); check its permissions and the free "
            f"space, then go on with --resume"
        ) from None


def has_citations(folder: Location, path: str, version: str) -> bool:
    """Whether the citations of this version of an input file are there, and of this version of cytotag."""
    with contextlib.suppress(OSError, pa.ArrowException):  # what is damaged is made again
        filesystem, name = arrow(_file(folder, path))
        return (pq.read_metadata(name, filesystem=filesystem).metadata or {}).get(_KEY) == _key(path, version)
    return False


def read_citations(folder: Location, path: str) -> pa.Table:
    """The citations (CITATION) of an input file that `has_citations`.

    Raises:
        OutputError: Their file is damaged.
    """
    file = _file(folder, path)
    try:
        filesystem, name = arrow(file)
        table = pq.read_table(name, filesystem=filesystem)
        return table.cast(CITATION.with_metadata(table.schema.metadata))
    except (OSError, pa.ArrowException) as error:
        raise OutputError(f"{file}: damaged ({error}); delete it, and it is made again") from None


def discard_unfinished(folder: Location) -> None:
    """Deletes what a kill left of files that were being written."""
    for file in (folder / CITATIONS).glob(".*.tmp"):
        with contextlib.suppress(OSError):
            file.unlink()


def _file(folder: Location, path: str) -> Location:
    return folder / CITATIONS / f"{hashlib.sha256(path.encode()).hexdigest()[:32]}.parquet"


def _key(path: str, version: str) -> bytes:
    """What the citations depend on."""
    return json.dumps({"path": path, "version": version, "cytotag": installed_version("cytotag")}).encode()
