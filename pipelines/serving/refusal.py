"""A request that is not answered, and why: one line, with a status that says whether to try again."""

import re
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from pipelines.serving.messages import InvalidRequest, Problem
from pipelines.serving.problems import problems

UNREADABLE = "body: not JSON in UTF-8, or nested too deep, or with a number that is too long; correct it"
JSON_TYPE = re.compile(r"application/([\w.-]+\+)?json\b", re.ASCII | re.IGNORECASE)


class RefusedError(Exception):
    """Becomes the answer `{"detail": ...}` with its status.

    Attributes:
        status: HTTP's.
        detail: One line that says what to do.
        retry_after: Seconds after which the same request may be answered.
    """

    def __init__(self, status: int, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after = status, detail, retry_after

    def answer(self) -> JSONResponse:
        """The response."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        headers |= {"WWW-Authenticate": "Bearer"} if self.status == 401 else {}
        return JSONResponse({"detail": self.detail}, self.status, headers)


REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The body is not JSON."},
    401: {"model": Problem, "description": "The token is missing or wrong."},
    408: {"model": Problem, "description": "The body did not come in time."},
    413: {"model": Problem, "description": "The body is too large."},
    415: {"model": Problem, "description": "The body is not said to be JSON, or it is compressed."},
    422: {"model": InvalidRequest, "description": "Fields that are wrong, or too much of something."},
    429: {"model": Problem, "description": "Busy: come back after `Retry-After` seconds."},
    503: {"model": Problem, "description": "No model answers now: come back after `Retry-After` seconds."},
    504: {"model": Problem, "description": "It took too long."},
}
"""For the OpenAPI document."""

EVERYWHERE = (408, 413, 415, 429, 503)
"""Of these, those that the Guard and Ray Serve may answer on any path."""


def answer_refusals(api: FastAPI) -> None:
    """Gives an API the handlers that make answers of refusals."""
    api.add_exception_handler(RefusedError, _refused)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _impossible)


async def _refused(_: Request, error: Any) -> JSONResponse:
    response: JSONResponse = error.answer()
    return response


async def _invalid(request: Request, error: Any) -> JSONResponse:
    found = problems(error.errors())
    first = found[0]
    if first["type"] == "json_invalid":
        return RefusedError(400, f"body: {first['msg']}: character {first['loc'][-1]}; correct it").answer()
    if first["loc"][0] == "body" and not JSON_TYPE.match(request.headers.get("content-type", "")):
        return RefusedError(415, "body: send JSON, and say so: `Content-Type: application/json`").answer()
    return JSONResponse({"detail": found}, 422)


async def _impossible(request: Request, error: Any) -> JSONResponse:
    """What FastAPI itself refuses: a path, a method, or a body that it cannot parse."""
    details = {
        400: UNREADABLE,
        404: "no such path; GET /docs shows those that there are",
        405: f"{request.method} is not for this path; use {(error.headers or {}).get('Allow', 'another method')}",
    }
    return JSONResponse({"detail": details.get(error.status_code, error.detail)}, error.status_code, error.headers)
