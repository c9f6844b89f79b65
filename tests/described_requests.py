"""Requests that schemathesis makes from the endpoint's OpenAPI document, good ones and bad ones."""

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

OPERATIONS = [
    ("POST", "/v1/tag"),
    ("POST", "/v1/tag/stream"),
    ("GET", "/v1/model"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
]
KINDS = [(*operation, GenerationMode.POSITIVE) for operation in OPERATIONS] + [
    (*operation, GenerationMode.NEGATIVE) for operation in OPERATIONS if operation[0] == "POST"
]
"""What takes nothing cannot be asked wrongly."""

ANY_LINE = [negative_data_rejection]
"""What cannot hold of a stream: whatever its lines are, each gets its answer, and the whole is 200."""


@schemathesis.serializer("application/x-ndjson")
def as_it_is(_, value):
    """The body of a stream, which schemathesis takes for any string."""
    return str(value).encode("utf-8", "surrogatepass")


def ask_as_described(described, method, path, mode, *, examples, **options):
    """Makes requests and checks the answers: no 5xx, and status, type, headers and body as the document says."""

    @settings(max_examples=examples, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def ask(case):
        case.call_and_validate(excluded_checks=ANY_LINE if path.endswith("/stream") else [], **options)

    ask()
