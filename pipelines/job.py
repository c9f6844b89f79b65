"""One batch job, from the files a user names to a finished output folder."""

import functools
import math
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace

import ray.data
import ray.exceptions

from actors.execution_providers import Device
from actors.model_files import ModelFiles
from actors.session_options import SessionOptions
from actors.token_classifier import TokenClassifier
from pipelines import citations
from pipelines.block_size import BYTES_A_CHARACTER, text_bytes
from pipelines.compatibility import Compat, tokenizer_of
from pipelines.config import TASK_CPUS, ActorPool, ConfigError
from pipelines.corpora.identity import identify, to_hash
from pipelines.corpora.input_files import InputError, InputFile, absolute, find_input_files
from pipelines.corpora.pubmed_plan import Withdrawn
from pipelines.corpora.records import ReaderOptions
from pipelines.corpora.source import CorpusSource, read_corpus
from pipelines.local_ray import local_cpus, native_messages_to, ray_session, run_tasks, wait_for_nodes
from pipelines.ner import build_ner_pipeline
from pipelines.outputs import folder as output_folder
from pipelines.outputs.counts import Counts
from pipelines.outputs.coverage import Coverage
from pipelines.outputs.folder import Mode
from pipelines.outputs.forgetting import forget
from pipelines.outputs.formats import OutputFormat
from pipelines.outputs.manifest import Manifest
from pipelines.outputs.output_error import OutputError
from pipelines.outputs.part_note import PartNote, counts_since, merge_coverage
from pipelines.outputs.sink import PartSink
from pipelines.outputs.withdrawal import withdraw
from pipelines.placement import Node, fill, misfit
from pipelines.poison_guard import start_attempts
from pipelines.resuming import input_rows, joined_inputs, mended_files, refuse_other_settings
from pipelines.run_log import ray_log, stopping_in_one_line
from pipelines.stages.ner_converter import NerConverter
from pipelines.stages.sentence_detector import SentenceDetector
from pipelines.storage import Location, is_within, location

STALL_SECONDS = 1800
"""With no block finished for so long, longer than a model takes to load, the run is stopped rather than hang."""


@dataclass(frozen=True, kw_only=True)
class TagJob:
    """What to tag, how, and where to.

    Attributes:
        inputs: Files, folders and patterns, local or in an object store.
        output: The output folder.
        actors: `N`, `MIN:MAX`, or None for as many as fit.
        labels: Of the nodes that the actors may run on.
        compat: The program whose behaviour is copied; the converter's policy is its too.
        address: Of the Ray cluster to run on; None starts a Ray on this machine.
        wait: Seconds to wait for nodes that the actors fit on.
        command: The command line, for the manifest.
    """

    inputs: Sequence[str]
    output: Location
    model: ModelFiles
    ner_converter: NerConverter
    input_format: str = "auto"
    reader_options: ReaderOptions = field(default_factory=ReaderOptions)
    compat: Compat | None = None
    output_format: OutputFormat = "parquet"
    mode: Mode = "new"
    device: Device = "cpu"
    session_options: SessionOptions = field(default_factory=SessionOptions)
    actors: str | None = None
    threads: int = 1
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str | None = None
    wait: float = 0
    command: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What a run did. `counts` and `seconds` are its own; what was there before it resumed is `before`."""

    counts: Counts
    before: Counts
    refused: Sequence[InputError]  # input files that were not read
    hashed_bytes: int  # of the input files whose version was not known
    hashing_seconds: float
    seconds: float
    tagging_seconds: float  # without the start of Ray


Covered = Mapping[str, Coverage]
Progress = Callable[[Sequence[InputFile]], AbstractContextManager[object]]
"""Shows a step of a run while it goes on; given the files that it reads."""


def run(job: TagJob, hashing: Progress, progress: Progress) -> RunSummary:
    """Runs a job to its end.

    Args:
        job: What to do.
        hashing: Shows that files are read to find out which version of them they are.
        progress: Shows that files are tagged.

    Raises:
        InputError, ModelError, OutputError, ConfigError: Before anything is read or written, where the job cannot
            work; the message is one line and says what to do.
    """
    began = time.monotonic()
    files = absolute(find_input_files(job.inputs, job.input_format))
    citations.refuse_two_baselines(files)
    _refuse_own_output(files, job.output)
    tokenizer_of(job.model, job.compat)
    on_this_machine = job.address is None  # the GPUs of a cluster are on its workers
    pool = ActorPool.parse(
        job.actors, threads=job.threads, device=job.device, session_options=job.session_options, labels=job.labels
    )
    if on_this_machine:
        TokenClassifier(job.model, device=job.device, session_options=job.session_options)
    else:
        TokenClassifier(job.model)  # what cannot run is found before Ray
    manifest = _manifest(job, files)
    if on_this_machine and (reason := misfit(pool, [Node(cpus=local_cpus() + 1, gpus=math.inf)])):
        raise ConfigError(reason)  # before Ray, which finds the GPUs, takes seconds to start
    with output_folder.claim(job.output):
        return _run(job, pool, files, manifest, hashing, progress, began=began)


def _run(
    job: TagJob,
    pool: ActorPool,
    files: Sequence[InputFile],
    manifest: Manifest,
    hashing: Progress,
    progress: Progress,
    *,
    began: float,
) -> RunSummary:
    """Runs a job whose output folder is its own."""
    held = output_folder.prepare(job.output, job.mode) if job.mode != "overwrite" else None
    if held:
        refuse_other_settings(job.output, held, manifest)
    hashing_began = time.monotonic()
    recorded = held.inputs if held else ()
    hashed = to_hash(files, recorded)
    with hashing(hashed):
        identified = identify(files, recorded)
        identified = replace(identified, files=citations.tell_pubmed(identified.files, recorded))
    hashing_ended = time.monotonic()
    if not identified.files:
        raise identified.refused[0]
    manifest = replace(manifest, inputs=joined_inputs(recorded, input_rows(files, identified)))
    pubmed = citations.pubmed_files((*recorded, *manifest.inputs))
    citations.refuse_two_baselines(pubmed)
    if job.mode == "overwrite":
        output_folder.prepare(job.output, job.mode)  # only now, for it deletes
    files = identified.files
    notes = output_folder.read_notes(job.output, job.output_format)
    covered = merge_coverage(notes.values())
    mended = mended_files(files, covered)
    citations.refuse_left_out(manifest.inputs, files, covered)
    manifest.write(job.output)
    output_folder.write_input_errors(job.output, manifest.input_errors)
    output_folder.discard_uncommitted(job.output, job.output_format)
    if mended:
        forget(job.output, job.output_format, mended)
        notes = output_folder.read_notes(job.output, job.output_format)
        covered = merge_coverage(notes.values())
    to_read = [file for file in files if not (file.path in covered and covered[file.path].complete)]
    plan = functools.partial(citations.plan_files, pubmed, job.output.resolve(), run_tasks)

    started = time.monotonic()
    if to_read or citations.files_to_scan(pubmed, job.output):
        with ray_log(job.output) as log, native_messages_to(log), ray_session(job.address):
            nodes = wait_for_nodes(pool, seconds=job.wait)
            pool = pool if job.actors else fill(pool, nodes)
            started = time.monotonic()
            with progress(to_read), stopping_in_one_line(job.output, log):
                withdrawn = plan().withdrawn
                if to_read:
                    _tag(job, pool, to_read, covered, withdrawn)
    else:
        withdrawn = plan().withdrawn
    after = withdraw(job.output, job.output_format, withdrawn)
    ended = time.monotonic()

    output_folder.discard_uncommitted(job.output, job.output_format)  # temporary files of workers that died
    _finish(job, manifest, files, after, seconds=ended - began)
    return RunSummary(
        counts=counts_since(notes, after),
        before=Counts.total(note.counts for name, note in after.items() if name in notes),
        refused=identified.refused,
        hashed_bytes=sum(file.size for file in hashed),
        hashing_seconds=hashing_ended - hashing_began,
        seconds=ended - began,
        tagging_seconds=ended - started,
    )


def _tag(
    job: TagJob, pool: ActorPool, files: Sequence[InputFile], covered: Covered, withdrawn: Mapping[str, Withdrawn]
) -> None:
    """Reads, tags and writes."""
    block_bytes = text_bytes(sum(file.size for file in files), actors=pool.max_size)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.target_max_block_size = block_bytes * BYTES_A_CHARACTER
    context.execution_no_progress_timeout_s = STALL_SECONDS
    source = CorpusSource(
        files,
        job.reader_options,
        block_bytes=block_bytes,
        covered={path: one.ranges for path, one in covered.items()},
        withdrawn=withdrawn,
    )
    documents = build_ner_pipeline(
        read_corpus(source),
        model=job.model,
        pool=pool,
        attempts=start_attempts(),
        sentence_detector=SentenceDetector(),
        tokenizer=tokenizer_of(job.model, job.compat),
        ner_converter=job.ner_converter,
    )
    sink = PartSink(job.output.resolve(), job.output_format, run_id=uuid.uuid4().hex[:8])
    try:
        documents.write_datasink(sink, ray_remote_args={"num_cpus": TASK_CPUS})
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, OutputError):  # without Ray's traceback and advice, which say no more
            raise OutputError(str(error.cause).splitlines()[0]) from None
        raise


def _refuse_own_output(files: Sequence[InputFile], output: Location) -> None:
    """A dataset has the columns of a corpus: an output folder among the inputs would be tagged as one."""
    for file in files:
        if is_within(location(file.path), output):
            raise InputError(file.path, f"lies in the output folder {output}; choose another --output")


def _manifest(job: TagJob, files: Sequence[InputFile]) -> Manifest:
    converter = job.ner_converter
    return Manifest(
        state="running",
        command=job.command,
        settings={
            "compat": job.compat,
            "output_format": job.output_format,
            "reader": asdict(job.reader_options),
            "device": job.device,
            "precision": job.session_options.precision,
            "tag_policy": converter.policy,
            "white_list": sorted(converter.white_list) if converter.white_list is not None else None,
            "threshold": converter.threshold,
            "entity_thresholds": dict(converter.entity_thresholds),
        },
        model={"folder": job.model.folder, "sha256": job.model.sha256(), "labels": list(job.model.labels)},
        inputs=tuple(asdict(file) for file in files),
    )


def _finish(
    job: TagJob, manifest: Manifest, files: Sequence[InputFile], notes: Mapping[str, PartNote], *, seconds: float
) -> None:
    """Replaces the manifest by one with the counts of the whole folder."""
    counts = Counts.total(note.counts for note in notes.values())
    covered = merge_coverage(notes.values())
    read = {file.path for file in files}
    inputs = []
    for one in manifest.inputs:
        coverage = covered.get(one["path"])
        inputs.append(
            {
                **one,
                **(coverage or Coverage(version=one["version"], ranges=())).counts,
                "complete": one["path"] in read or (coverage is not None and coverage.complete),
            }
        )
    replace(
        manifest,
        state="finished with errors" if counts.errors or manifest.input_errors else "finished",
        inputs=tuple(inputs),
        counts=asdict(counts),
        seconds=round(seconds, 3),
    ).write(job.output)
