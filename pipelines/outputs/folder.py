"""The output folder: who may write into it, and what it holds."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.dataset

from pipelines.outputs import manifest
from pipelines.outputs.atomic_file import commit_text
from pipelines.outputs.formats import OUTPUT_FORMATS, OutputFormat
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.part_note import PartNote
from pipelines.schema import CHUNK_ROW

ERRORS = "_errors"

Mode = Literal["new", "resume", "overwrite"]


class OutputError(ValueError):
    """An output folder that cannot be written; the message names it and says what to do."""


def prepare(folder: Path, mode: Mode) -> Manifest | None:
    """Makes the folder ready for a run.

    Returns:
        The manifest of the run to resume, or None where a run begins.

    Raises:
        OutputError: It holds a run and nothing was said of that, or something that is not ours, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used as the output folder ({error.strerror}); choose another") from None
    if names and manifest.NAME not in names:
        raise OutputError(f"{folder}: holds {names[0]} and no cytotag run; choose an empty or a new folder")
    if not names:
        return None
    try:
        held = Manifest.read(folder)
    except ValueError as error:
        raise OutputError(f"{folder}: its manifest cannot be read ({error}); choose another folder") from None
    if mode == "resume":
        return held
    if mode == "overwrite":
        clear(folder)
        return None
    raise OutputError(
        f"{folder}: holds a run ({held.state}, begun {held.started}); go on with it with --resume, replace it with "
        f"--overwrite, or choose another folder"
    )


def clear(folder: Path) -> None:
    """Deletes a run, the manifest last, and nothing that is not ours."""
    for output_format in OUTPUT_FORMATS.values():
        for part in folder.glob(f"part-*{output_format.SUFFIX}"):
            part.unlink()
    for path in folder.glob("_*"):
        if path.is_dir():
            shutil.rmtree(path)
    (folder / manifest.NAME).unlink(missing_ok=True)


def read_notes(folder: Path, output_format: OutputFormat) -> dict[str, PartNote]:
    """The note of each committed part, by the part's name."""
    module = OUTPUT_FORMATS[output_format]
    return {path.stem: module.read_note(path) for path in module.note_files(folder)}


def discard_uncommitted(folder: Path, output_format: OutputFormat) -> None:
    """Deletes what a killed run left behind: temporary files, and parts and errors whose part was never committed."""
    module = OUTPUT_FORMATS[output_format]
    committed = {path.stem for path in module.note_files(folder)}
    for path in (*folder.glob(f"part-*{module.SUFFIX}"), *folder.glob(f"{ERRORS}/part-*.jsonl")):
        if path.stem not in committed:
            path.unlink()
    for path in folder.rglob(".*.tmp"):
        path.unlink()


def write_errors(folder: Path, name: str, rows: pa.Table) -> None:
    """Commits the records that a part could not tag (ERROR_ROW) as JSON lines; none, no file."""
    if rows.num_rows:
        (folder / ERRORS).mkdir(exist_ok=True)
        commit_text(folder / ERRORS / f"{name}.jsonl", OUTPUT_FORMATS["jsonl"].to_lines(rows))


def read_errors(folder: Path) -> Iterator[str]:
    """The lines of all error files, JSON objects (ERROR_ROW)."""
    for path in sorted((folder / ERRORS).glob("part-*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            yield from lines


def open_dataset(folder: Path) -> pyarrow.dataset.Dataset:
    """The chunk rows (CHUNK_ROW) of an output folder, as any Arrow reader sees them.

    Raises:
        OutputError: The folder holds no run.
    """
    try:
        held = Manifest.read(folder)
    except (OSError, ValueError):
        raise OutputError(f"{folder}: holds no cytotag run; name the --output folder of `cytotag tag`") from None
    file_format = {"parquet": "parquet", "jsonl": "json"}[held.settings["output_format"]]
    return pyarrow.dataset.dataset(folder, schema=CHUNK_ROW, format=file_format)
