"""What an endpoint says of itself: the page, the model, health, and counts."""

from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from actors.model_files import ModelFiles
from pipelines.pages.tagger import tagger_page
from pipelines.serving.admission import Admission
from pipelines.serving.measures import Measures
from pipelines.serving.messages import ModelDescription, Status
from pipelines.serving.options import ServeOptions
from pipelines.serving.refusal import REFUSALS

PAGE, MODEL, HEALTH, READY, METRICS = "/", "/v1/model", "/health", "/ready", "/metrics"
EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of Prometheus's format."""


def add_information_routes(
    api: FastAPI,
    options: ServeOptions,
    model: ModelFiles,
    admission: Admission,
    measures: Measures,
    ready: Callable[[], Awaitable[None]],
) -> None:
    """Adds the routes; the arguments are those of `build_api`, and what it made of them."""
    description, page = ModelDescription.of(model, options), tagger_page()

    @api.get(PAGE, include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(page)

    @api.get(MODEL, summary="The model and the limits", tags=["information"], responses={401: REFUSALS[401]})
    async def describe() -> ModelDescription:
        """What the model finds, and how much a request may hold."""
        return description

    @api.get(HEALTH, summary="Does this process live?", tags=["information"])
    async def health() -> Status:
        """Answers as long as the process does, whether or not the model is there."""
        return Status(status="ok")

    @api.get(READY, summary="Does the model answer?", tags=["information"])
    async def readiness() -> Status:
        """Asks a process that holds the model."""
        await ready()
        return Status(status="ready")

    @api.get(
        METRICS,
        summary="Counts for Prometheus",
        tags=["information"],
        responses={401: REFUSALS[401]},
        response_class=PlainTextResponse,
    )
    async def metrics() -> Response:
        """The counts of the process that answers, which is named in the label `replica`."""
        return Response(measures.exposition(admission.held), media_type=EXPOSITION_TYPE)
