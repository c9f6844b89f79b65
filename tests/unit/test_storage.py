import os
import pickle
import time
from pathlib import Path

import pytest

from pipelines import storage
from pipelines.config import ConfigError
from pipelines.storage import StorePath, is_address, is_within, location


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("s3://b", "s3://b"),
        ("s3://b/", "s3://b"),
        ("S3://b/a b/c#d%20.gz//", "s3://b/a b/c#d%20.gz"),
        ("gs://b/x@y", "gs://b/x@y"),
    ],
)
def test_an_address_is_a_place_in_a_store(name, address):
    assert location(name) == StorePath(address)
    assert str(location(name)) == address
    assert is_address(name)


@pytest.mark.parametrize("name", ["chunks", "/a/b", "a:b", "s3:/b", "./s3:/b", ""])
def test_any_other_name_is_a_local_path(name):
    assert location(name) == Path(name)
    assert not is_address(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hdfs://host/x", "hdfs://: no such storage here"),
        ("https://host/x", "https://: no such storage here"),
        ("s3:///x", "names no bucket"),
        ("s3://", "names no bucket"),
        ("s3://KEY:SECRET@b/x", r"s3://...@b: credentials do not belong"),
        ("s3://KEY:SEC%2FRET@b", "credentials do not belong"),
        ("s3://KEY@SECRET@b", r"s3://...@b: credentials"),
        ("s3://b/x?endpoint_override=SECRET", "s3://b/x: an address takes no options"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_without_its_secrets(name, message):
    with pytest.raises(ConfigError, match=message) as raised:
        location(name)
    assert not {"KEY", "SECRET", "SEC%2F"} & set(str(raised.value).replace("@", " ").replace(":", " ").split())


def test_a_place_has_the_parts_of_a_path():
    place = StorePath("s3://b/x") / "part.jsonl.gz"
    assert (place.name, place.stem, place.suffix) == ("part.jsonl.gz", "part.jsonl", ".gz")
    assert place.parent == StorePath("s3://b/x")
    assert pickle.loads(pickle.dumps(place)) == place  # noqa: S301  # our own bytes
    assert sorted([place, place.parent]) == [place.parent, place]


@pytest.mark.parametrize(
    ("path", "folder", "within"),
    [
        ("s3://b/x/y", "s3://b/x", True),
        ("s3://b/x", "s3://b/x", True),
        ("s3://b/xy", "s3://b/x", False),
        ("/a/../b/c", "/b", True),
        ("/bc", "/b", False),
        ("/b", "/", True),
        ("s3://b/x", "/", False),
        ("/b", "s3://b", False),
    ],
)
def test_what_lies_in_a_folder(path, folder, within):
    assert is_within(location(path), location(folder)) is within


def test_objects_are_written_listed_read_and_deleted(bucket):
    folder = bucket / "a b"
    assert list(folder.iterdir()) == []
    assert not folder.exists()
    for name, data in {"x.txt": b"x", "deep/y#%20.txt": b"y", "x.txt.gz": b"not compressed"}.items():
        (folder / name).write_bytes(data)
    assert [path.name for path in folder.iterdir()] == ["deep", "x.txt", "x.txt.gz"]
    assert [path.name for path in folder.glob("*.txt")] == ["x.txt"]
    assert [str(path) for path in folder.rglob("*.txt")] == [f"{folder}/deep/y#%20.txt", f"{folder}/x.txt"]
    assert (folder / "x.txt.gz").read_bytes() == b"not compressed"
    assert folder.exists()
    (folder / "x.txt").write_bytes(b"again")
    assert (folder / "x.txt").read_bytes() == b"again"
    assert (folder / "x.txt").info().size == 5
    (folder / "x.txt").unlink()
    (folder / "x.txt").unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        (folder / "x.txt").unlink()
    assert not (folder / "x.txt").exists()


def test_a_large_object_is_read_in_pieces_and_by_lines(bucket):
    data = os.urandom(11 << 20)  # more than one request takes
    (bucket / "x").write_bytes(data)
    with (bucket / "x").open() as file:
        assert b"".join(iter(lambda: file.readline(5000), b"")) == data
        file.seek(7)
        assert file.read1(3) == data[7:10]


def test_an_object_is_not_seen_before_all_of_it_is_there(bucket, monkeypatch):
    """A stream that is left by an exception completes its object, so none is open while the bytes are made."""

    class FailingStream:
        def __init__(self, stream):
            self.stream = stream

        def write(self, data):
            self.stream.write(data)
            assert not (bucket / "x").exists()

        def close(self):
            self.stream.close()

    filesystem, _ = storage.arrow(bucket)
    opened = []

    class Wrapped:
        def open_output_stream(self, name, **options):
            opened.append(name)
            return FailingStream(filesystem.open_output_stream(name, **options))

    with monkeypatch.context() as patch:
        patch.setattr(storage, "arrow", lambda path: (Wrapped(), path.address.removeprefix("s3://")))
        patch.setattr(StorePath, "exists", lambda path: filesystem.get_file_info(path.address[5:]).type.value > 1)
        (bucket / "x").write_bytes(b"0" * (12 << 20))
    assert opened
    assert (bucket / "x").info().size == 12 << 20


def one_line(error):
    return error.strerror and "\n" not in error.strerror and "Request ID" not in error.strerror


def test_what_is_not_there_is_an_os_error_of_one_line(bucket):
    with pytest.raises(FileNotFoundError, match="no such object"):
        (bucket / "x").read_bytes()
    nowhere = StorePath(f"{bucket}-nowhere")
    assert list(nowhere.iterdir()) == []
    with pytest.raises(OSError, match="NO_SUCH_BUCKET") as raised:
        (nowhere / "x").write_bytes(b"x")
    assert one_line(raised.value)


@pytest.mark.parametrize("act", [lambda b: list(b.iterdir()), lambda b: (b / "x").write_bytes(b"x"), StorePath.exists])
def test_a_key_that_the_store_does_not_know_is_an_os_error(bucket, refused_key, act):  # noqa: ARG001
    with pytest.raises(OSError, match="AWS Error") as raised:
        act(bucket / "folder")
    assert one_line(raised.value)


def test_a_server_that_is_not_there_is_given_up_soon(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    began = time.monotonic()
    with pytest.raises(OSError, match="NETWORK_CONNECTION") as raised:
        StorePath("s3://a-bucket-that-no-other-test-has/x").exists()
    assert one_line(raised.value)
    assert time.monotonic() - began < 60
