"""Requests made from the endpoint's own OpenAPI document: none is answered with 5xx, and all answers are as it says."""

import pytest
import schemathesis
from schemathesis.python.asgi import get_client

from tests.described_requests import KINDS, OPERATIONS, ask_as_described
from tests.unit.asgi_client import make_client

EXAMPLES = 60


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


@pytest.mark.parametrize(("method", "path", "mode"), KINDS)
def test_answers_are_as_described(described, session, method, path, mode):
    ask_as_described(described, method, path, mode, examples=EXAMPLES, session=session)
