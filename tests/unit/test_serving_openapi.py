"""Requests made from the endpoint's own OpenAPI document: none is answered with 5xx, and all answers are as it says."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.python.asgi import get_client
from schemathesis.specs.openapi.checks import negative_data_rejection

from tests.unit.asgi_client import make_client

EXAMPLES = 60
OPERATIONS = [
    ("POST", "/v1/tag"),
    ("POST", "/v1/tag/stream"),
    ("GET", "/v1/model"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
]


@pytest.fixture(scope="module")
def described(embedded_model, event_loop_runner):
    client = make_client(embedded_model, event_loop_runner, characters=200, documents=5)
    return schemathesis.openapi.from_asgi("/openapi.json", client.app)


@pytest.fixture(scope="module")
def session(described):
    with get_client(described.app) as client:
        yield client


def test_the_operations_are_those_described(described):
    found = {(one.ok().method.upper(), one.ok().path) for one in described.get_all_operations()}
    assert found == set(OPERATIONS)


ANY_LINE = [negative_data_rejection]
"""What cannot hold of a stream: whatever its lines are, each gets its answer, and the whole is 200."""


@schemathesis.serializer("application/x-ndjson")
def as_it_is(_, value):
    return str(value).encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    ("method", "path", "mode"),
    [(*operation, GenerationMode.POSITIVE) for operation in OPERATIONS]
    + [(*operation, GenerationMode.NEGATIVE) for operation in OPERATIONS if operation[0] == "POST"],
)
def test_answers_are_as_described(described, session, method, path, mode):
    operation = described[path][method]

    @settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate(session=session, excluded_checks=ANY_LINE if path.endswith("/stream") else [])

    ask()
