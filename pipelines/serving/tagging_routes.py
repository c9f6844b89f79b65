"""`POST /v1/tag` and `POST /v1/tag/stream`."""

import asyncio
from typing import Annotated, Any

import pyarrow as pa
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from actors.model_files import ModelFiles
from pipelines.compatibility import policy_of, threshold_of
from pipelines.corpora.records import Record
from pipelines.serving.answers import EXPORTS, NDJSON, render, render_lines
from pipelines.serving.measures import Measures
from pipelines.serving.messages import (
    STREAM_EXAMPLE,
    BiocCollection,
    Document,
    StreamQuery,
    TagRequest,
    TagResponse,
    document_model,
    stream_query,
    tag_request,
)
from pipelines.serving.options import ServeOptions
from pipelines.serving.problems import one_line, problems
from pipelines.serving.refusal import REFUSALS, RefusedError
from pipelines.serving.streaming import DuplexResponse, Line, answer_lines, read_lines
from pipelines.serving.tagging import Tagger, not_tagged
from pipelines.stages.ner_converter import NerConverter
from pipelines.tag_schemes import Policy, TagScheme

TAG, STREAM = "/v1/tag", "/v1/tag/stream"


def add_tagging_routes(
    api: FastAPI, options: ServeOptions, model: ModelFiles, tagger: Tagger, measures: Measures
) -> None:
    """Adds the routes; the arguments are those of `build_api`, and what it made of them."""
    policy = policy_of(model, options.compat)
    known, threshold = TagScheme.of(model.labels, policy).entities, threshold_of(model, options.compat)
    body_type, query_type = tag_request(options, known, threshold), stream_query(known, threshold)
    line_type = document_model(options)

    @api.post(
        TAG,
        summary="Tag documents",
        tags=["tagging"],
        responses={
            **{status: REFUSALS[status] for status in (400, 401, 422, 504)},
            200: {
                "model": TagResponse | BiocCollection,
                "description": "The documents in the order of the request.",
                "content": {media_type.split(";")[0]: {} for _, media_type in EXPORTS.values()},
            },
        },
    )
    async def tag(body: body_type) -> Response:  # type: ignore[valid-type]  # made for these options
        """Tag one text or several documents, within the limits of `/v1/model`; what is more goes to the stream."""
        request: TagRequest = body
        wanted = request.entities, request.threshold, request.entity_thresholds
        converter = ner_converter(model, policy, *wanted, where="body")
        documents = request.documents or [Document(document_id=None, text=request.text or "")]
        records = [_record(document, number) for number, document in enumerate(documents, start=1)]
        try:
            async with asyncio.timeout(options.timeout):
                chunks = await tagger(records, converter)
        except TimeoutError:
            raise RefusedError(504, f"not done after {options.timeout:g} s; send less text at once") from None
        measures.count(chunks)
        if request.format != "json" and (failed := _failures(chunks)):  # these formats have no place for them
            raise RequestValidationError(failed)
        content, media_type = await asyncio.to_thread(render, chunks, request.format)
        return Response(content, media_type=media_type)

    @api.post(
        STREAM,
        summary="Tag a stream of documents",
        tags=["tagging"],
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {NDJSON: {"schema": {"type": "string"}, "example": STREAM_EXAMPLE}},
            }
        },
        responses={
            **{status: REFUSALS[status] for status in (401, 422)},
            200: {
                "description": "A line for each line that is not empty, in their order: its number as `line`, and what "
                "`POST /v1/tag` says of a document.",
                "content": {NDJSON: {"schema": {"type": "string"}}},
            },
        },
        response_class=DuplexResponse,
    )
    async def tag_stream(request: Request, query: Annotated[query_type, Query()]) -> DuplexResponse:  # type: ignore[valid-type]
        """Tag JSON lines, `{"document_id": ..., "text": ...}` each, as they come; answers come as they are ready.

        A line that is no document, or could not be tagged, has its `error` in its place; the rest goes on.
        """
        asked: StreamQuery = query
        converter = ner_converter(model, policy, asked.entities, asked.threshold, {}, where="query")

        async def answer(lines: list[Line]) -> bytes:
            records = [_record_of_line(line, line_type) for line in lines]
            try:
                chunks = await tagger(records, converter, wait=True)
            except RefusedError as refused:
                chunks = not_tagged(records, refused.detail)
            measures.count(chunks)
            return await asyncio.to_thread(render_lines, chunks, [line.number for line in lines])

        lines = read_lines(
            request.stream(), longest=options.body_bytes, most=options.stream_bytes, idle=options.timeout
        )
        return DuplexResponse(answer_lines(lines, answer), media_type=NDJSON)


def ner_converter(
    model: ModelFiles,
    policy: Policy,
    entities: list[str] | None,
    threshold: float,
    by_entity: dict[str, float],
    *,
    where: str,
) -> NerConverter:
    """The converter that a request asks for.

    Raises:
        RequestValidationError: The model has none of the entities.
    """
    known = TagScheme.of(model.labels, policy).entities
    unknown = [
        {"loc": (where, field), "msg": f"the model has no entity {name!r}; it has {', '.join(known)}", "type": "entity"}
        for field, names in {"entities": entities or (), "entity_thresholds": by_entity}.items()
        for name in dict.fromkeys(names)
        if name not in known
    ]
    if unknown:
        raise RequestValidationError(unknown)
    return NerConverter(
        labels=model.labels,
        policy=policy,
        white_list=frozenset(entities) if entities else None,
        threshold=threshold,
        entity_thresholds=by_entity,
    )


def _record(document: Document, number: int) -> Record:
    return Record.of(document.document_id or str(number), document.text)


def _record_of_line(line: Line, line_type: type[Document]) -> Record:
    """The record of a line; one with `error` where the line is no document."""
    problem = line.problem
    if line.content is not None:
        try:
            return _record(line_type.model_validate_json(line.content), line.number)
        except ValidationError as error:
            problem = one_line(problems(error.errors(include_input=False, include_url=False))[0])
    return Record(str(line.number), None, {}, problem)


def _failures(chunks: pa.Table) -> list[dict[str, Any]]:
    """The documents that could not be tagged, as problems of the request."""
    return [
        {"loc": ("body", "documents", number, "text"), "msg": error, "type": "document"}
        for number, error in enumerate(chunks["error"].to_pylist())
        if error is not None
    ]
