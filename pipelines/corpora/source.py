"""The Ray Datasource over the readers: input files in, tables of records out."""

import functools
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import ray.data
from ray.data import DataContext, Datasource
from ray.data.block import BlockMetadata
from ray.data.datasource import ReadTask

from pipelines.config import TASK_CPUS
from pipelines.corpora.formats import READERS
from pipelines.corpora.input_files import InputFile
from pipelines.corpora.pubmed_plan import Withdrawn, withhold
from pipelines.corpora.records import RECORD, ReaderOptions, read_tables

Ranges = Sequence[tuple[int, int]]

FILES_A_TASK = 1000
"""The most files that one read task opens: a corpus may be a million files of one abstract each."""


class CorpusSource(Datasource):
    """Reads files as RECORD tables; a file is read by one task, from start to end, so its records keep their order.

    Args:
        files: What to read.
        options: How the records are laid out in them.
        block_bytes: Text that makes a block, and so a part of the output.
        covered: By path, the ordinals that are done and are skipped.
        withdrawn: By path, the records that have not the last word on their PMID; they are read without their text.
    """

    def __init__(
        self,
        files: Sequence[InputFile],
        options: ReaderOptions,
        *,
        block_bytes: int,
        covered: Mapping[str, Ranges],
        withdrawn: Mapping[str, Withdrawn],
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._files = files
        self._groups = group_files(files, block_bytes)
        self._options = options
        self._block_bytes = block_bytes
        self._covered = covered
        self._withdrawn = withdrawn

    @property
    def task_count(self) -> int:
        """The number of read tasks."""
        return len(self._groups)

    def get_name(self) -> str:
        """The name of the operator in Ray's statistics."""
        return "Corpus"

    def estimate_inmemory_data_size(self) -> int:
        """Bytes on disk: all that is known before reading."""
        return sum(file.size for file in self._files)

    def get_read_tasks(
        self, parallelism: int, per_task_row_limit: int | None = None, data_context: DataContext | None = None
    ) -> list[ReadTask]:
        """One task a file, or for small files a task for as many as make a block."""
        return [self._task(files) for files in self._groups]

    def _task(self, files: list[InputFile]) -> ReadTask:
        covered = {file.path: self._covered[file.path] for file in files if file.path in self._covered}
        withdrawn = {file.path: self._withdrawn[file.path] for file in files if file.path in self._withdrawn}
        read = functools.partial(_read, files, self._options, self._block_bytes, covered, withdrawn)
        size = sum(file.size for file in files)
        metadata = BlockMetadata(
            num_rows=None, size_bytes=size, input_files=tuple(file.path for file in files), exec_stats=None
        )
        return ReadTask(read, metadata, schema=RECORD)


def read_corpus(source: CorpusSource) -> ray.data.Dataset:
    """The records of a corpus as a dataset (RECORD).

    Ray is told how many read tasks there are, or it would want more of them and split their blocks into small ones.
    """
    records: ray.data.Dataset = ray.data.read_datasource(
        source, num_cpus=TASK_CPUS, override_num_blocks=source.task_count
    )
    return records


def group_files(files: Sequence[InputFile], group_bytes: int) -> list[list[InputFile]]:
    """Groups successive files so that a group holds about `group_bytes`, and no more than `FILES_A_TASK` files."""
    groups: list[list[InputFile]] = []
    size = 0
    for file in files:
        if not groups or size + file.size > group_bytes or len(groups[-1]) == FILES_A_TASK:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.size
    return groups


def _read(
    files: list[InputFile],
    options: ReaderOptions,
    block_bytes: int,
    covered: Mapping[str, Ranges],
    withdrawn: Mapping[str, Withdrawn],
) -> Iterator[pa.Table]:
    for file in files:
        records = READERS[file.format](file.path, options)
        if file.path in withdrawn:
            records = withhold(records, withdrawn[file.path])
        yield from read_tables(file, records, characters=block_bytes, covered=covered.get(file.path, ()))
