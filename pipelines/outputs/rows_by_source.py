"""The rows of a dataset, one input file after another."""

from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.outputs.coverage import of_source
from pipelines.outputs.dataset import chunks_of_part
from pipelines.outputs.folder import read_errors_of
from pipelines.outputs.formats import OutputFormat
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote
from pipelines.schema import CHUNK_ROW, ERROR_ROW
from pipelines.storage import Location


class RowsBySource:
    """Gives the chunk rows and the errors of one input file at a time, from the parts that cover records of it.

    A part is read from start to end as long as the files are asked for in the order in which it holds them, and from
    its start again where they are not; so no more is in memory than the rows of one file.

    Args:
        folder: The output folder.
        output_format: Of its parts.
        notes: The notes of the committed parts, by the part's name.
    """

    def __init__(self, folder: Location, output_format: OutputFormat, notes: Mapping[str, PartNote]) -> None:
        self._folder = folder
        self._format = output_format
        self._notes = notes
        self._parts: dict[str, list[str]] = {}
        for name, note in notes.items():
            for source, one in note.coverage.items():
                if one.ranges:
                    self._parts.setdefault(source, []).append(name)
        self._name = ""  # the part that is being read
        self._tables: Iterator[pa.Table] = iter(())
        self._left = CHUNK_ROW.empty_table()  # what was read of it and not taken yet

    def chunks(self, source: str) -> pa.Table:
        """The chunks of an input file (CHUNK_ROW), by ordinal and chunk_id.

        Raises:
            OutputError: A part is damaged, or does not hold what its note says.
        """
        tables = [self._take(name, source) for name in self._parts_of(source)]
        rows = pa.concat_tables([CHUNK_ROW.empty_table(), *tables])
        return rows.sort_by([("ordinal", "ascending"), ("chunk_id", "ascending")])

    def errors(self, source: str) -> pa.Table:
        """The records of an input file that could not be tagged (ERROR_ROW), in no order.

        Raises:
            OutputError: Their file is damaged.
        """
        names = [name for name in self._parts_of(source) if self._notes[name].coverage[source].errors]
        tables = [of_source(read_errors_of(self._folder, name), source) for name in names]
        return pa.concat_tables([ERROR_ROW.empty_table(), *tables])

    def _parts_of(self, source: str) -> list[str]:
        """The parts that cover records of a file, in the order of the file."""
        names = self._parts.get(source, [])
        return sorted(names, key=lambda name: self._notes[name].coverage[source].ranges[0])

    def _take(self, name: str, source: str) -> pa.Table:
        """The rows of a file in one part."""
        wanted = self._notes[name].coverage[source].chunks
        rows = self._read_on(source, wanted) if name == self._name else CHUNK_ROW.empty_table()
        if rows.num_rows < wanted:  # not begun, or passed by
            self._name, self._tables = name, chunks_of_part(self._folder, self._format, name)
            self._left = CHUNK_ROW.empty_table()
            rows = self._read_on(source, wanted)
        if rows.num_rows != wanted:
            raise OutputError(
                f"{self._folder}: {name} holds {rows.num_rows:,} chunks of {source}, its note says {wanted:,}; see "
                f"`cytotag verify {self._folder}`"
            )
        return rows

    def _read_on(self, source: str, wanted: int) -> pa.Table:
        """The next rows of a file in the part that is being read, no more than wanted; all before them are dropped."""
        found = [CHUNK_ROW.empty_table()]
        while wanted:
            places = np.flatnonzero(pc.equal(self._left["source"], source))[:wanted]
            found.append(self._left.take(places))
            wanted -= len(places)
            if not wanted:
                self._left = self._left.slice(places[-1] + 1)
            elif (table := next(self._tables, None)) is not None:
                self._left = table
            else:
                break
        return pa.concat_tables(found)
