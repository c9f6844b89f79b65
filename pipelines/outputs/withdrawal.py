"""Documents that were committed and are now withdrawn: their rows are taken out of the parts that hold them."""

import itertools
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipelines.outputs import folder as output_folder
from pipelines.outputs.coverage import Coverage, Range, members, to_ranges
from pipelines.outputs.formats import OutputFormat
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote
from pipelines.outputs.rewriting import replace_part
from pipelines.schema import DELETED, SUPERSEDED
from pipelines.storage import Location

Withdrawn = Mapping[str, npt.NDArray[np.int32]]
"""Of one input file: `SUPERSEDED` and `DELETED`, each with the ordinals of those records, ascending."""


def withdraw(folder: Location, output_format: OutputFormat, withdrawn: Mapping[str, Withdrawn]) -> dict[str, PartNote]:
    """Takes the rows and errors of withdrawn documents out of the parts, and notes it in them.

    Each part is replaced under its own name, its errors before it and its note with it or after it. What is new in the
    note is counted in the rows that are left, so after a kill the same call finishes the work, and then finds nothing
    to do.

    Args:
        folder: The output folder; nobody else writes to it.
        output_format: Of its parts.
        withdrawn: By input file.

    Returns:
        The note of each committed part then, by its name: a run may have a hundred thousand, which are read once.

    Raises:
        OutputError: A part is damaged, cannot be written, or counts a document as withdrawn that is not.
    """
    notes = output_folder.read_notes(folder, output_format)
    for name, note in notes.items():
        coverage = {
            source: _mark(one, withdrawn[source], source) if source in withdrawn else one
            for source, one in note.coverage.items()
        }
        if coverage != note.coverage:
            notes[name] = replace_part(folder, output_format, name, replace(note, coverage=coverage))
    return notes


def _mark(coverage: Coverage, withdrawn: Withdrawn, source: str) -> Coverage:
    """The coverage of a part with the records that are withdrawn noted."""
    marked = replace(
        coverage,
        superseded=_within(coverage.ranges, withdrawn[SUPERSEDED]),
        deleted=_within(coverage.ranges, withdrawn[DELETED]),
    )
    if not set(members(coverage.withdrawn)) <= set(members(marked.withdrawn)):
        raise OutputError(f"{source}: a record that was withdrawn has the last word again; run again with --overwrite")
    return marked


def _within(ranges: tuple[Range, ...], ordinals: npt.NDArray[np.int32]) -> tuple[Range, ...]:
    """Those of the ordinals that lie in the ranges."""
    pieces = (ordinals[slice(*np.searchsorted(ordinals, one))].tolist() for one in ranges)
    return to_ranges(itertools.chain.from_iterable(pieces))
