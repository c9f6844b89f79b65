"""The Ray Datasink: documents with chunks in, committed parts out."""

import platform
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from ray.data.block import Block
from ray.data.datasource import Datasink

from pipelines.outputs import folder as output_folder
from pipelines.outputs.chunk_rows import error_rows
from pipelines.outputs.formats import OUTPUT_FORMATS, OutputFormat
from pipelines.outputs.metrics import count_commit
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote, part_name
from pipelines.storage import Location


class PartSink(Datasink[None]):
    """Writes one part a task. A task that is run again commits the same part under the same name.

    Args:
        folder: The output folder, already prepared.
        output_format: Name of the format of the parts.
        run_id: 8 hexadecimal digits; tells this run's parts from those of the run that it resumes.
    """

    def __init__(self, folder: Location, output_format: OutputFormat, run_id: str) -> None:
        self._folder = folder
        self._format = output_format
        self._run_id = run_id

    def write(self, blocks: Iterable[Block], ctx: Any) -> None:
        """Commits the documents of `blocks` (CHUNK): their errors first, then their rows, which is what counts.

        Raises:
            OutputError: The folder cannot be written from here.
        """
        documents = pa.concat_tables(blocks)
        if not documents.num_rows:
            return
        note = PartNote.of(documents)
        name = part_name(self._run_id, ctx.task_idx)
        try:
            output_folder.write_errors(self._folder, name, error_rows(documents))
            module = OUTPUT_FORMATS[self._format]
            module.write_part(self._folder, name, [module.to_rows(documents)], note)
        except OSError as error:
            raise OutputError(
                f"{self._folder}: {name} cannot be written on {platform.node()} ({error.strerror or error}); every "
                f"machine needs that folder, and room in it; then go on with --resume"
            ) from None
        count_commit(note.counts)
