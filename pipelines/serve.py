"""The endpoint on Ray Serve: `cytotag serve`, or `serve run pipelines.serve:build_app`."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import ray.exceptions
from ray import serve
from ray.serve.config import BackpressureConfig, HTTPOptions
from ray.serve.context import _get_global_client
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentHandle
from ray.serve.schema import LoggingConfig
from starlette.types import ASGIApp

from actors.model_files import ModelError, ModelFiles
from actors.token_classifier import TokenClassifier
from pipelines.config import TASK_CPUS, ConfigError, RunStoppedError
from pipelines.isolation import classify
from pipelines.local_ray import native_messages_to, ray_session, wait_for_nodes
from pipelines.serving.api import build_api
from pipelines.serving.batching import Batcher, pieces_of, shares
from pipelines.serving.gate import Gate
from pipelines.serving.guard import read_token
from pipelines.serving.options import ServeOptions
from pipelines.serving.refusal import RefusedError

APPLICATION = "cytotag"

HEALTH_PIECES = 8
"""Word pieces of the run that a health check makes: enough to know that the model answers."""

HEALTH_SECONDS = 2
"""Between health checks. By them alone does Serve notice that a process is dead."""

SECONDS_TO_RESTART = 5
"""What a model takes to come back, roughly: some seconds for the process, some for the files."""

READY_SECONDS = 5
WAITING_ITEMS = 1_000
"""Far over what an endpoint lets through by word pieces; Serve's own default would be 5, and no batch would form."""

ITEMS_PER_REPLICA = 4
"""Serve starts another model when more than this wait on the average, each up to a batch."""

STARTS = 3
"""Of a process whose constructor fails."""

UNREACHABLE = (ray.exceptions.RayActorError, ray.exceptions.ActorUnavailableError, DeploymentUnavailableError)


class ModelReplica:
    """A process that holds the model and gives it all that waits at once, up to a batch.

    Args:
        model: The files to load.
        options: Where it runs, and how large a batch is.
    """

    def __init__(self, model: ModelFiles, options: ServeOptions) -> None:
        self._classifier = TokenClassifier(model, device=options.device, threads=options.threads)
        self._batcher = Batcher(self._run, lambda table: int(pieces_of(table).sum()), options.batch_pieces)

    async def __call__(self, tokens: pa.Table) -> pa.Table:
        """TOKEN to TAG.

        Raises:
            ModelError: The model fails on its trial run too, so no document is to blame.
        """
        return await self._batcher(tokens)

    def _run(self, tables: list[pa.Table]) -> list[pa.Table]:
        tagged = classify(self._classifier, pa.concat_tables(tables))
        rows = 0
        parts = []
        for table in tables:
            parts.append(tagged.slice(rows, table.num_rows))
            rows += table.num_rows
        return parts

    async def ready(self) -> None:
        """Answers as soon as the process does."""

    async def check_health(self) -> None:
        """Asked by Serve: runs the model. A process that fails is replaced.

        Raises:
            ModelError: The model does not run.
        """
        await asyncio.to_thread(self._classifier.check, HEALTH_PIECES)


@serve.ingress()
class Endpoint:
    """A process that takes requests: it splits sentences, tokenizes, asks a ModelReplica, and renders the answer.

    Args:
        model: The model's files, for the tokenizer and the labels.
        options: Limits.
        replicas: The processes that hold the model.
    """

    def __init__(self, model: ModelFiles, options: ServeOptions, replicas: DeploymentHandle[Any]) -> None:
        self._model = model
        self._options = options
        self._replicas = replicas

    def __serve_build_asgi_app__(self) -> ASGIApp:  # Serve's name
        api = build_api(
            self._options,
            model=self._model,
            classify=self._classify,
            ready=self._ready,
            replica=serve.get_replica_context().replica_id.unique_id,
        )
        self._gate = Gate(api, retry_after=SECONDS_TO_RESTART)
        return self._gate

    async def drain(self) -> None:
        """Refuses what comes from now on; returns when all that is there is answered."""
        await self._gate.close()

    async def _classify(self, tokens: pa.Table) -> pa.Table:
        """TOKEN to TAG; documents that make more than a batch go to several processes."""
        parts = [
            # Pickled, a slice would take all the rows of its table along.
            self._replicas.remote(tokens.take(list(range(start, end))))
            for start, end in shares(pieces_of(tokens), self._options.batch_pieces)
        ]
        return pa.concat_tables(await _answers(parts))

    async def _ready(self) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                await _answers([self._replicas.ready.remote()])
        except TimeoutError:
            raise RefusedError(503, "no model answers yet", retry_after=SECONDS_TO_RESTART) from None


async def _answers(responses: list[Any]) -> list[Any]:
    """What Serve's responses come to. If one fails, or nobody wants them any more, the others are called off.

    Raises:
        RefusedError: The model cannot answer now.
    """
    try:
        return await asyncio.gather(*responses)
    except UNREACHABLE:
        raise RefusedError(
            503, "the model's process ended, another starts; send the request again", retry_after=SECONDS_TO_RESTART
        ) from None
    except BackPressureError:
        raise RefusedError(429, "busy: too much waits for the model; try again later", retry_after=1) from None
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, ModelError):
            raise RefusedError(503, f"the model fails: {error.cause}", retry_after=SECONDS_TO_RESTART) from None
        raise
    finally:
        for response in responses:
            response.cancel()


def build_app(args: ServeOptions) -> serve.Application:
    """The application, for `serve run`, `serve build` and `cytotag serve`.

    Raises:
        ConfigError: The options cannot work.
        ModelError: The model folder is not there, or not usable.
    """
    model, pool = ModelFiles.from_pretrained(args.model), args.pool
    environment = {"env_vars": {"TOKENIZERS_PARALLELISM": "false"}}
    scale: dict[str, Any] = {"num_replicas": pool.min_size}
    if pool.max_size > pool.min_size:
        sizes = {"min_replicas": pool.min_size, "max_replicas": pool.max_size}
        scale = {"autoscaling_config": {**sizes, "target_ongoing_requests": ITEMS_PER_REPLICA}}
    care: dict[str, Any] = {
        "health_check_period_s": HEALTH_SECONDS,
        "graceful_shutdown_timeout_s": args.timeout,
        "graceful_shutdown_wait_loop_s": 1.0,
    }
    replicas = serve.deployment(
        name="TokenClassifier",
        ray_actor_options={"num_cpus": pool.threads, "num_gpus": pool.gpus or 0, "runtime_env": environment},
        max_ongoing_requests=WAITING_ITEMS,
        max_constructor_retry_count=STARTS,
        **scale,
        **care,
    )(ModelReplica)
    endpoint = serve.deployment(
        name="Endpoint",
        num_replicas=args.endpoints,
        ray_actor_options={"num_cpus": TASK_CPUS, "runtime_env": environment},
        max_ongoing_requests=args.requests,
        max_queued_requests=args.requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        max_constructor_retry_count=STARTS,
        **care,
    )(Endpoint)
    return endpoint.bind(model, args, replicas.bind(model, args))


@contextlib.contextmanager
def running(options: ServeOptions, *, host: str, port: int, address: str | None) -> Iterator[None]:
    """An endpoint that answers while the body runs. What was asked until then is still answered.

    Args:
        options: What to serve.
        host: Address to listen on; on a cluster each node does that has a part of the endpoint.
        port: Port to listen on.
        address: Ray cluster, or None for a Ray on this machine.

    Raises:
        ConfigError: The options cannot work, there is no room for the model, or the port is taken.
        ModelError: The model cannot be loaded or run.
        RunStoppedError: The endpoint did not start.
    """
    application = build_app(options)
    read_token(options.token_file)
    if address is None:
        _refuse_taken_port(host, port)
        TokenClassifier(ModelFiles.from_pretrained(options.model), device=options.device)  # cannot run? Before Ray!
    with TemporaryDirectory() as folder, native_messages_to(Path(folder, "ray.log")), ray_session(address):
        wait_for_nodes(options.pool, seconds=0)
        quiet = LoggingConfig(log_level="ERROR", enable_access_log=False)
        logging.getLogger("ray.serve").setLevel(logging.CRITICAL)  # what goes wrong while starting is raised as well
        try:
            serve.start(http_options=HTTPOptions(host=host, port=port), logging_config=quiet)
            _refuse_other_port(host, port)
            serve.run(application, name=APPLICATION, route_prefix="/", logging_config=quiet)
        except (RuntimeError, ray.exceptions.RayError) as error:
            reason = _reason() or str(error)
            serve.delete(APPLICATION, _blocking=False)
            raise RunStoppedError(f"the endpoint did not start: {reason.strip().splitlines()[-1]}") from None
        try:
            yield
        finally:
            _drain(options.timeout)
            serve.delete(APPLICATION)  # a cluster's Serve may have other applications


def _drain(seconds: float) -> None:
    """Waits until what was asked is answered. Serve deletes the models at once, whoever still wants to ask them."""
    with contextlib.suppress(ray.exceptions.RayError, RayServeException, TimeoutError):
        serve.get_deployment_handle("Endpoint", APPLICATION).broadcast("drain").results(timeout_s=seconds)


def _reason() -> str:
    """Why Serve could not start a process: the end of its traceback."""
    application = serve.status().applications.get(APPLICATION)
    messages = [deployment.message for deployment in application.deployments.values()] if application else []
    return next((message for message in messages if "Traceback" in message), "")


def _refuse_other_port(host: str, port: int) -> None:
    """A Serve that was there before keeps its own address, and says so only in a log."""
    client: Any = _get_global_client()
    there = client.http_config
    if (there.host, there.port) != (host, port):
        raise ConfigError(
            f"--host {host} --port {port}: Ray Serve on this cluster listens on {there.host}:{there.port} already; "
            f"give these, or end it with `serve shutdown`"
        )


def _refuse_taken_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigError(f"--host {host} --port {port}: cannot be listened on ({error.strerror})") from None
