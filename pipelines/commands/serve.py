"""`cytotag serve`: the pipeline behind an endpoint."""

import contextlib
import signal
import threading
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from pipelines.commands.model_options import CompatOption, DeviceOption, ModelOption, SessionOption
from pipelines.config import ConfigError


def serve(
    model: ModelOption = None,
    compat: CompatOption = None,
    device: DeviceOption = "cpu",
    session: SessionOption = None,
    replicas: Annotated[
        str | None,
        typer.Option(
            metavar="N|MIN:MAX",
            help="Processes that hold the model; if not said, as many as fit this machine, or one with --address.",
            rich_help_panel="Machine",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads, and so CPUs, of each.", rich_help_panel="Machine")] = 1,
    endpoints: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that take requests, split and tokenize; if not said, one for four threads of models.",
            show_default=False,
            rich_help_panel="Machine",
        ),
    ] = None,
    batch_pieces: Annotated[
        int,
        typer.Option(
            min=1, help="Word pieces that requests fill together; 1: each by itself.", rich_help_panel="Machine"
        ),
    ] = 8192,
    address: Annotated[
        str | None,
        typer.Option(
            help="Ray cluster to run on, such as auto; without it, a Ray on this machine.", rich_help_panel="Machine"
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all.", rich_help_panel="HTTP")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.", rich_help_panel="HTTP")] = 8000,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="File with the bearer token that requests must carry.", rich_help_panel="HTTP"
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Origin whose pages may call the endpoint (CORS), such as https://example.org; may be repeated.",
            rich_help_panel="HTTP",
        ),
    ] = None,
    documents: Annotated[
        int, typer.Option(min=1, help="The most documents in a request.", rich_help_panel="Limits")
    ] = 100,
    characters: Annotated[
        int, typer.Option(min=1, help="The most characters in a document.", rich_help_panel="Limits")
    ] = 100_000,
    body_bytes: Annotated[int, typer.Option(min=1, help="The largest request.", rich_help_panel="Limits")] = 1 << 20,
    stream_bytes: Annotated[int, typer.Option(min=1, help="The largest stream.", rich_help_panel="Limits")] = 64 << 20,
    timeout: Annotated[
        float, typer.Option(min=0.1, metavar="SECONDS", help="What a request may take.", rich_help_panel="Limits")
    ] = 60,
    waiting_pieces: Annotated[
        int, typer.Option(min=1, help="Word pieces that may wait; then the answer is 429.", rich_help_panel="Limits")
    ] = 65_536,
) -> None:
    """Answer requests over HTTP, with a page to try it at /, and the API's description at /docs.

    `curl localhost:8000/v1/tag -H 'Content-Type: application/json' -d '{"text": "IL-2 mRNA in Jurkat cells"}'`

    Stop it with Ctrl-C: requests that are being answered still get their answer.
    """
    from pipelines.endpoint_session import running  # Ray is slow to import
    from pipelines.local_ray import local_cpus
    from pipelines.placement import most_replicas
    from pipelines.serving.options import serve_options

    if replicas is None:
        replicas = str(most_replicas(local_cpus() + 1, threads) if address is None else 1)
    options = serve_options(
        model=str(model.absolute()) if model is not None else None,
        compat=compat,
        device=device,
        session=tuple(session or ()),
        replicas=replicas,
        threads=threads,
        endpoints=endpoints,
        batch_pieces=batch_pieces,
        documents=documents,
        characters=characters,
        body_bytes=body_bytes,
        stream_bytes=stream_bytes,
        timeout=timeout,
        waiting_pieces=waiting_pieces,
        token_file=str(token_file.absolute()) if token_file is not None else None,
        allow_origins=tuple(allow_origin or ()),
    )
    if token_file is None and host not in ("127.0.0.1", "localhost", "::1"):
        raise ConfigError(f"--host {host}: others could use it; give a --token-file, or listen on 127.0.0.1")
    console = Console(stderr=True, markup=False, emoji=False)
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        with console.status("starts Ray and the model"):
            stack.enter_context(running(options, host=host, port=port, address=address))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        shown = "localhost" if host in ("127.0.0.1", "::1") else host
        console.print(f"http://{shown}:{port}  page; /docs describes the API; Ctrl-C stops", soft_wrap=True)
        stop.wait()
        console.print("answers what was asked, then stops")
