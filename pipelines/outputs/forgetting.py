"""Input files whose documents leave the dataset, so that they can be tagged anew."""

from collections.abc import Collection
from dataclasses import replace

from pipelines.outputs import folder as output_folder
from pipelines.outputs.formats import OutputFormat
from pipelines.outputs.part_note import PartNote
from pipelines.outputs.rewriting import replace_part
from pipelines.storage import Location


def forget(folder: Location, output_format: OutputFormat, sources: Collection[str]) -> None:
    """Takes all that the parts hold of some input files out of them; a part of nothing else is deleted.

    The parts that know a file as broken come last: after a kill it is still known as such, and the next call goes on.

    Args:
        folder: The output folder; nobody else writes to it.
        output_format: Of its parts.
        sources: The input files.

    Raises:
        OutputError: A part is damaged, or cannot be written or deleted.
    """
    notes = output_folder.read_notes(folder, output_format)
    concerned = {name: note for name, note in notes.items() if not note.coverage.keys().isdisjoint(sources)}

    def knows_as_broken(name: str) -> bool:
        return any(one.broken for source, one in concerned[name].coverage.items() if source in sources)

    for name in sorted(concerned, key=knows_as_broken):
        left = _without(concerned[name], sources)
        if left.coverage:
            replace_part(folder, output_format, name, left)
        else:
            output_folder.delete_part(folder, output_format, name)


def _without(note: PartNote, sources: Collection[str]) -> PartNote:
    coverage = {source: one for source, one in note.coverage.items() if source not in sources}
    return replace(note, coverage=coverage)
