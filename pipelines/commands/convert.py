"""`cytotag convert`: a chunk dataset in another format."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.config import ConfigError, RunStoppedError
from pipelines.exports.formats import ExportFormat
from pipelines.storage import is_address, location
from pipelines.tables import conversion_table, literal
from pipelines.terminal import converted_documents


def convert(
    dataset: Annotated[str, typer.Argument(metavar="DIR", help="Dataset written by `cytotag tag`.")],
    to: Annotated[
        ExportFormat,
        typer.Option(
            metavar="FORMAT",
            help="csv, jsonl, bioc-xml, bioc-json, pubtator, brat or conll; as Parquet, parquet (a row a chunk), "
            "documents (a row a document) or spark (the same, with Spark NLP's annotations).",
            show_default=False,
        ),
    ],
    output: Annotated[str, typer.Option(metavar="OUT", help="Local folder for the files.", show_default=False)],
    documents_per_file: Annotated[int, typer.Option(min=1, help="The most documents in one file.")] = 10_000,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the conversion that OUT holds.")] = False,
) -> None:
    r"""Write a dataset in another format.

    The files are OUT/chunks-00001 and so on; brat's two files a document are in folders of that name. Documents that
    could not be tagged are counted, and only `documents` has a place for them. A conversion that was stopped is begun
    again with --overwrite.
    """
    from pipelines.dataset_documents import documents_of
    from pipelines.exports import conversion
    from pipelines.outputs.manifest import Manifest

    if is_address(output):
        raise ConfigError(f"--output {output}: files are written to a local folder; name one")
    folder = location(dataset)
    counts = Manifest.read(folder).counts
    console = Console(stderr=True, markup=False, emoji=False)  # paths may have brackets
    try:
        with converted_documents(console, counts.get("documents")) as show:
            done = conversion.convert(
                documents_of(folder),
                Path(output),
                to,
                dataset=dataset,
                overwrite=overwrite,
                documents_per_file=documents_per_file,
                show=show,
            )
    except KeyboardInterrupt:
        raise RunStoppedError(f"{output}: stopped, not all is there; begin again with --overwrite") from None
    console.print(conversion_table(done, to))
    console.print(f"{to}: {output}", soft_wrap=True)
    for reason in done.reasons:
        console.print(literal(f"error: {reason}"), soft_wrap=True)
