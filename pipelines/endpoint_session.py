"""An endpoint that answers for as long as it is wanted, and stops without breaking a word off."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ray.exceptions
from ray import serve
from ray.serve.config import HTTPOptions
from ray.serve.context import _get_global_client
from ray.serve.exceptions import RayServeException
from ray.serve.schema import LoggingConfig

from actors.model_files import ModelFiles
from actors.token_classifier import TokenClassifier
from pipelines.config import TASK_CPUS, ConfigError, RunStoppedError
from pipelines.local_ray import native_messages_to, ray_session, wait_for_nodes
from pipelines.placement import Node
from pipelines.serve import ENDPOINT, build_app
from pipelines.serving.guard import read_token
from pipelines.serving.options import ServeOptions

APPLICATION = "cytotag"
PROXY_START_SECONDS = 60
"""Serve ends a proxy that takes longer than its own 5 s, and with it the start, on a machine that is busy."""


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
        os.environ.setdefault("RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S", str(PROXY_START_SECONDS))
        TokenClassifier(  # cannot run? Before Ray!
            ModelFiles.from_pretrained(options.model), device=options.device, session_options=options.session_options
        )
    with TemporaryDirectory() as folder, native_messages_to(Path(folder, "ray.log")), ray_session(address):
        _refuse_too_few_cpus(options, wait_for_nodes(options.pool, seconds=0))
        quiet = LoggingConfig(log_level="ERROR", enable_access_log=False)
        logging.getLogger("ray.serve").setLevel(logging.CRITICAL)  # what goes wrong while starting is raised as well
        try:
            serve.start(http_options=HTTPOptions(host=host, port=port), logging_config=quiet)
            _refuse_other_port(host, port)
            serve.run(application, name=APPLICATION, route_prefix="/", logging_config=quiet)
        except (RuntimeError, TimeoutError, ray.exceptions.RayError) as error:
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
        serve.get_deployment_handle(ENDPOINT, APPLICATION).broadcast("drain").results(timeout_s=seconds)


def _reason() -> str:
    """Why Serve could not start a process: the end of its traceback."""
    application = serve.status().applications.get(APPLICATION)
    messages = [deployment.message for deployment in application.deployments.values()] if application else []
    return next((message for message in messages if "Traceback" in message), "")


def _refuse_too_few_cpus(options: ServeOptions, nodes: list[Node]) -> None:
    """Serve would wait for room without a word."""
    endpoints, models = options.endpoint_processes, options.pool.min_size
    needed, there = endpoints * TASK_CPUS + models * options.threads, sum(node.cpus for node in nodes)
    if needed > there:
        raise ConfigError(
            f"{endpoints} endpoint processes x {TASK_CPUS} + {models} models x {options.threads} threads = {needed:g} "
            f"CPUs, and Ray has {there:g}; ask for fewer --endpoints"
        )


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
