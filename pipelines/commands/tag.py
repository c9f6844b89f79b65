"""`cytotag tag`: documents in, a chunk dataset out; or one text in, its chunks printed."""

import json
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, get_args

import pyarrow as pa
import typer
from rich.console import Console

from actors.model_files import ModelFiles
from actors.session_options import SessionOptions
from pipelines.commands.model_options import CompatOption, DeviceOption, ModelOption, SessionOption
from pipelines.compatibility import Compat, policy_of, threshold_of
from pipelines.config import ConfigError, parse_labels, parse_names, parse_thresholds
from pipelines.corpora.input_files import InputError, InputFormat
from pipelines.corpora.records import ReaderOptions
from pipelines.outputs.formats import OutputFormat
from pipelines.stages.ner_converter import NerConverter
from pipelines.storage import location
from pipelines.tables import chunk_table

if TYPE_CHECKING:
    from pipelines.light import LightPipeline


def tag(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...", help="Files, folders, patterns; local, s3://, gs://; - reads a text from stdin."
        ),
    ] = None,
    text: Annotated[str | None, typer.Option(help="Tag this text and print what is found; no Ray, no files.")] = None,
    output: Annotated[
        str | None, typer.Option(metavar="DIR", help="Folder for the chunk dataset; local, s3://... or gs://...")
    ] = None,
    input_format: Annotated[
        InputFormat,
        typer.Option(
            metavar="FORMAT",
            help=f"{', '.join(get_args(InputFormat))}; auto tells it from each file's name, or the start of XML.",
            rich_help_panel="Input",
        ),
    ] = "auto",
    text_column: Annotated[
        str, typer.Option(metavar="NAME", help="Field or column with the text.", rich_help_panel="Input")
    ] = "text",
    id_column: Annotated[
        str, typer.Option(metavar="NAME", help="Field or column with the id.", rich_help_panel="Input")
    ] = "document_id",
    one_document_per_line: Annotated[
        bool,
        typer.Option(
            "--one-document-per-line", help="Each line of a text file is a document.", rich_help_panel="Input"
        ),
    ] = False,
    other_abstracts: Annotated[
        bool,
        typer.Option(
            "--other-abstracts",
            help="PubMed: tag abstracts in other languages, and those for lay readers, too.",
            rich_help_panel="Input",
        ),
    ] = False,
    output_format: Annotated[
        OutputFormat | None,
        typer.Option(
            help="Format of the dataset; parquet if not said. For --text and stdin, jsonl prints JSON lines, as a pipe "
            "gets them anyway; a terminal gets a table.",
            show_default=False,
            rich_help_panel="Output",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run that DIR holds.", rich_help_panel="Output")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run that DIR holds.", rich_help_panel="Output")
    ] = False,
    white_list: Annotated[
        str | None,
        typer.Option(
            metavar="ENTITY,...", help="Keep these entities only, such as protein,DNA.", rich_help_panel="Output"
        ),
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(
            metavar="SCORE",
            help="Drop chunks that score less: 0.5, or by entity: 0.5,RNA=0.3,DNA=0.6; 0 keeps all. If not said, the "
            "model's own, 0.55 of the embedded one.",
            rich_help_panel="Output",
        ),
    ] = None,
    model: ModelOption = None,
    compat: CompatOption = None,
    device: DeviceOption = "cpu",
    session: SessionOption = None,
    actors: Annotated[
        str | None,
        typer.Option(
            metavar="N|MIN:MAX", help="How many hold the model; as many as fit if not said.", rich_help_panel="Machine"
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads, and so CPUs, of each actor.", rich_help_panel="Machine")
    ] = 1,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="KEY=VALUE,...",
            help="Labels of the Ray nodes that may hold the model, such as pool=gpu; any node if not said.",
            rich_help_panel="Machine",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Ray cluster to run on, such as auto; without it, a Ray on this machine for this run.",
            rich_help_panel="Machine",
        ),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="How long to wait for a cluster that has to grow first; it is asked for the nodes that are missing.",
            rich_help_panel="Machine",
        ),
    ] = 0,
) -> None:
    r"""Tag documents and write a dataset with a row a chunk, or tag one text and print it.

    `cytotag tag abstracts.jsonl pubmed/ --output chunks` tags files on a local Ray. The dataset is DIR/\*.parquet;
    records that could not be tagged are in DIR/\_errors.

    `cytotag tag --text "IL-2 mRNA in Jurkat cells"` prints what is in a text.

    Exit code: 0 all went well (a record set aside is counted, not an error of the run); 1 nothing could be done; 2 the
    options are wrong; 3 finished, but a file could not be read to its end.
    """
    files = ModelFiles.from_pretrained(model)
    converter = ner_converter(files, compat, white_list, threshold)
    session_options = SessionOptions.parse(session or ())
    if text is not None or inputs == ["-"]:
        if output is not None or (text is not None and inputs):
            raise ConfigError("--text and - tag one text in this process and print it: leave out --output and INPUT")
        keep_pandas_out()
        from pipelines.light import LightPipeline

        pipeline = LightPipeline(
            files,
            ner_converter=converter,
            compat=compat,
            device=device,
            threads=threads,
            session_options=session_options,
        )
        print_chunks(pipeline, text, as_json=output_format == "jsonl")
        return
    if not inputs:
        raise ConfigError("nothing to tag: name an INPUT, or give --text")
    if output is None:
        raise ConfigError("--output DIR is missing: where should the dataset go?")
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite: choose one")
    from pipelines.commands.tag_files import tag_files  # Ray is slow to import, and one text does not need it
    from pipelines.job import TagJob

    job = TagJob(
        inputs=inputs,
        output=location(output),
        model=files,
        ner_converter=converter,
        compat=compat,
        input_format=input_format,
        reader_options=ReaderOptions(
            text_column=text_column,
            id_column=id_column,
            one_document_per_line=one_document_per_line,
            other_abstracts=other_abstracts,
        ),
        output_format=output_format or "parquet",
        mode="resume" if resume else "overwrite" if overwrite else "new",
        device=device,
        session_options=session_options,
        actors=actors,
        threads=threads,
        labels=parse_labels(labels) if labels is not None else {},
        address=address,
        wait=wait,
        command=tuple(sys.argv),
    )
    tag_files(job)


def ner_converter(
    model: ModelFiles, compat: Compat | None, white_list: str | None, threshold: str | None
) -> NerConverter:
    """The converter that the options ask for."""
    for_all, by_entity = parse_thresholds(threshold) if threshold is not None else (None, {})
    try:
        return NerConverter(
            labels=model.labels,
            policy=policy_of(model, compat),
            white_list=parse_names(white_list) if white_list is not None else None,
            threshold=threshold_of(model, compat) if for_all is None else for_all,
            entity_thresholds=by_entity,
        )
    except ValueError as error:
        raise ConfigError(str(error)) from None


def keep_pandas_out() -> None:
    """Lets pyarrow do without pandas, which it imports with its first array where it can, as long as a model takes.

    It asks once. Whoever imports pandas later gets it.
    """

    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)

    finder: Any = SimpleNamespace(find_spec=find_spec)
    sys.meta_path.insert(0, finder)
    pa.array([])
    sys.meta_path.remove(finder)


def print_chunks(pipeline: "LightPipeline", text: str | None, *, as_json: bool) -> None:
    """Tags one text, or what stands in stdin, in this process."""
    if text is None:
        try:
            text = sys.stdin.buffer.read().decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError("stdin", f"not UTF-8 at byte {error.start}; convert it") from None
    try:
        chunks = pipeline.annotate(text)
    except ValueError as error:
        raise InputError("the text", str(error)) from None
    console = Console()
    if as_json or not console.is_terminal:
        for chunk in chunks:
            sys.stdout.write(json.dumps({**chunk, "score": round(chunk["score"], 6)}, ensure_ascii=False) + "\n")
        sys.stdout.flush()  # a pipe would get it when Python has ended
    else:
        console.print(chunk_table(chunks))
