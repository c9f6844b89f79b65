"""Small parts merged into large ones.

A merged part is committed as any part is, and its note says which parts it replaces: from that moment these no longer
count. Then they are deleted, by this run or by the next one that tidies the folder.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.outputs.chunk_rows import row_groups
from pipelines.outputs.counts import Counts
from pipelines.outputs.folder import claim, delete_part, discard_uncommitted, read_errors_of, read_notes, write_errors
from pipelines.outputs.formats import OUTPUT_FORMATS, OutputFormat
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote, merge_coverage, merged_part_name
from pipelines.schema import DOCUMENT_ROW
from pipelines.storage import Location, arrow


@dataclass(frozen=True, kw_only=True)
class Size:
    """Of a dataset: its parts, and the bytes of their files."""

    parts: int
    bytes: int


def compact(folder: Location, part_bytes: int, on_merge: Callable[[int, int], None]) -> tuple[Size, Size]:
    """Merges successive parts as long as they make no more than `part_bytes` together.

    Parts of more than half of that are left as they are, so no record is copied more than a few times, however often
    this is done. The order of the input files, and of the records in them, is kept.

    Args:
        folder: A dataset, of a run that is finished.
        part_bytes: Of file.
        on_merge: Is told how many parts of how many are merged.

    Returns:
        The sizes before and after.

    Raises:
        OutputError: The run is not finished, a part is damaged, two parts cover the same record, or the folder cannot
            be written. What was there stays.
    """
    _finished(folder)
    with claim(folder):
        return _compact(folder, _finished(folder), part_bytes, on_merge)


def _compact(
    folder: Location, output_format: OutputFormat, part_bytes: int, on_merge: Callable[[int, int], None]
) -> tuple[Size, Size]:
    """Compacts a folder that is this process's own."""
    discard_uncommitted(folder, output_format)
    notes = read_notes(folder, output_format)
    merge_coverage(notes.values())
    order = _in_order(notes, [one["path"] for one in Manifest.read(folder).inputs])
    before = {name: _bytes(folder, output_format, name) for name in order}
    groups = to_groups(before, part_bytes)
    after, done, run_id = dict(before), 0, uuid.uuid4().hex[:8]
    for number, group in enumerate(groups):
        _finished(folder)  # an object store has no claims
        on_merge(done, sum(map(len, groups)))
        name = merged_part_name(run_id, number)
        try:
            _merge(folder, output_format, name, {old: notes[old] for old in group})
            after[name] = _bytes(folder, output_format, name)
        except OSError as error:
            raise OutputError(
                f"{folder}: {name} cannot be written ({error.strerror or error}); nothing is lost, make room and "
                f"compact again"
            ) from None
        for old in group:
            delete_part(folder, output_format, old)
            del after[old]
        done += len(group)
    return _size(before), _size(after)


def to_groups(sizes: Mapping[str, int], most: int) -> list[list[str]]:
    """Successive names whose sizes add up to no more than `most`, two at least; one of more than half is in none."""
    groups: list[list[str]] = [[]]
    total = 0
    for name, size in sizes.items():
        if size > most // 2 or total + size > most:
            groups.append([])
            total = 0
        if size <= most // 2:
            groups[-1].append(name)
            total += size
    return [group for group in groups if len(group) > 1]


def _finished(folder: Location) -> OutputFormat:
    """The format of a dataset that no run is writing to."""
    manifest = Manifest.read(folder)
    if manifest.state == "running":
        raise OutputError(f"{folder}: its run goes on, or was stopped; finish it first, with --resume")
    output_format: OutputFormat = manifest.settings["output_format"]
    return output_format


def _in_order(notes: Mapping[str, PartNote], sources: Sequence[str]) -> list[str]:
    """The parts in the order of the input files and of the first record that each covers."""
    place = {source: number for number, source in enumerate(sources)}

    def first(name: str) -> tuple[int, int]:
        return min((place.get(source, len(place)), *one.ranges[0]) for source, one in notes[name].coverage.items())[:2]

    return sorted(notes, key=first)


def _size(parts: Mapping[str, int]) -> Size:
    return Size(parts=len(parts), bytes=sum(parts.values()))


def _bytes(folder: Location, output_format: OutputFormat, name: str) -> int:
    filesystem, file = arrow(OUTPUT_FORMATS[output_format].files_of(folder, name)[0])
    size: int = filesystem.get_file_info(file).size
    return size


def _merge(folder: Location, output_format: OutputFormat, name: str, notes: Mapping[str, PartNote]) -> None:
    """Commits a part that replaces those of `notes`: their errors first, then their rows, which is what counts."""
    note = PartNote(
        coverage=merge_coverage(notes.values()),
        counts=Counts.total(one.counts for one in notes.values()),
        replaces=tuple(notes),
    )
    errors = [read_errors_of(folder, old) for old in notes if notes[old].counts.errors]
    if errors:
        write_errors(folder, name, pa.concat_tables(errors))
    rows = (table for old, one in notes.items() for table in _as_noted(folder, output_format, old, one))
    OUTPUT_FORMATS[output_format].write_part(folder, name, row_groups(rows), note)


def _as_noted(folder: Location, output_format: OutputFormat, name: str, note: PartNote) -> Iterator[pa.Table]:
    """The rows of a part.

    Raises:
        OutputError: They are not as many as its note says; nothing is merged then.
    """
    nested = OUTPUT_FORMATS[output_format].SCHEMA == DOCUMENT_ROW
    noted = Counter({source: one.documents if nested else one.chunks for source, one in note.coverage.items()})
    found: Counter[str] = Counter()
    for table in OUTPUT_FORMATS[output_format].read_rows(folder, name):
        found.update({one["values"]: one["counts"] for one in pc.value_counts(table["source"]).to_pylist()})
        yield table
    if found != noted:
        raise OutputError(f"{folder}: {name} does not hold what its note says; see `cytotag verify {folder}`")
