"""What unit and integration tests share: settings of hypothesis, and an S3 server."""

import logging
import os
import urllib.request
import uuid

import pytest
from hypothesis import settings

from pipelines.storage import StorePath

settings.register_profile("busy machine", deadline=None)  # how long an example takes says nothing of it being right
settings.load_profile("busy machine")


@pytest.fixture(scope="session")
def s3_server():
    """A real S3 server on this machine, and the environment by which this process and those it starts find it."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    environment = {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "a secret",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = dict(os.environ)
    os.environ.update(environment)
    yield endpoint
    os.environ.clear()
    os.environ.update(before)
    server.stop()


@pytest.fixture
def bucket(s3_server):
    """An empty bucket of this test's own."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    request = urllib.request.Request(f"{s3_server}/{name}", method="PUT")  # noqa: S310  # http
    urllib.request.urlopen(request).close()  # noqa: S310  # http
    return StorePath(f"s3://{name}")


@pytest.fixture
def refused_key(s3_server, monkeypatch):  # noqa: ARG001  # a fixture may not use `usefixtures`
    """The server knows no key at all, for one test."""
    from moto import settings as moto_settings

    monkeypatch.setattr(moto_settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
