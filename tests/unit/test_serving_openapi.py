"""Requests made from the endpoint's own OpenAPI document: none is answered with 5xx, and all answers are as it says."""

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from tests.unit.asgi_client import make_client

EXAMPLES = 60


@pytest.fixture(scope="module")
def described(embedded_model, event_loop_runner):
    client = make_client(embedded_model, event_loop_runner, characters=200, documents=5)
    return schemathesis.openapi.from_asgi("/openapi.json", client.app)


schema = schemathesis.pytest.from_fixture("described")


@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=list(HealthCheck))
def test_answers_are_as_described(case):
    case.call_and_validate()
