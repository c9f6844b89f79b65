import json

import pytest

from pipelines.outputs import manifest
from pipelines.outputs.manifest import RECORDED_VERSIONS, Manifest
from pipelines.outputs.output_error import OutputError

FINISHED = Manifest(
    state="finished",
    command=("cytotag", "tag", "α"),
    settings={"output_format": "parquet", "white_list": None, "threshold": 0.5},
    model={"folder": "/m", "sha256": "ab", "labels": ["O", "B-protein"]},
    inputs=({"path": "/a.jsonl", "format": "jsonl", "size": 1, "version": "1-2", "documents": 3},),
    counts={"documents": 3, "chunks": {"protein": 1}},
    seconds=1.5,
)


def test_what_is_written_is_read_back(tmp_path):
    FINISHED.write(tmp_path)
    assert Manifest.read(tmp_path) == FINISHED
    assert "α" in (tmp_path / manifest.NAME).read_text(encoding="utf-8")


def test_it_records_versions_and_the_start_in_utc():
    assert FINISHED.versions.keys() == {"python", *RECORDED_VERSIONS}
    assert FINISHED.versions["pyarrow"].count(".") == 2
    assert FINISHED.started.endswith("+00:00")


def test_a_package_that_is_not_installed_is_recorded_as_such(monkeypatch):
    monkeypatch.setattr(manifest, "RECORDED_VERSIONS", ("no-such-distribution",))
    assert manifest._versions()["no-such-distribution"] == "not installed"


def content(**changes):
    return {key: value for key, value in (vars(FINISHED) | changes).items() if value != "left out"}


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        '{"state": "fini',
        "[]",
        "null",
        '"finished"',
        "{}",
        json.dumps(content(settings="left out")),
        json.dumps(content(of_another_version=1)),
        json.dumps(content(settings=None)),
        json.dumps(content(settings={})),
        json.dumps(content(model=[])),
        json.dumps(content(model={"sha256": "ab"})),
        json.dumps(content(inputs=None)),
    ],
)
def test_a_damaged_manifest_names_its_file_and_what_to_do(tmp_path, damaged):
    (tmp_path / manifest.NAME).write_text(damaged)
    with pytest.raises(OutputError, match=rf"^{tmp_path}/_manifest.json: damaged.*choose another folder") as raised:
        Manifest.read(tmp_path)
    assert "\n" not in str(raised.value)


def test_a_manifest_that_is_not_text_is_damaged(tmp_path):
    (tmp_path / manifest.NAME).write_bytes(b"\xff\xfe")
    with pytest.raises(OutputError, match="damaged"):
        Manifest.read(tmp_path)


@pytest.mark.parametrize("folder", ["", "no such folder", "a file"])
def test_a_folder_without_a_manifest_holds_no_run(tmp_path, folder):
    (tmp_path / "a file").write_text("")
    with pytest.raises(OutputError, match=rf"^{tmp_path / folder}: holds no cytotag run; name the --output folder"):
        Manifest.read(tmp_path / folder)


def test_a_manifest_that_cannot_be_read_or_written_is_an_output_error(tmp_path):
    (tmp_path / manifest.NAME).mkdir()
    with pytest.raises(OutputError, match="cannot be read"):
        Manifest.read(tmp_path)
    with pytest.raises(OutputError, match=rf"^{tmp_path}: cannot be written"):
        FINISHED.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [manifest.NAME]


def test_a_folder_that_went_away_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        FINISHED.write(tmp_path / "gone")
