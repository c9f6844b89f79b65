"""The citations of a run, and the command that shows them."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.pubmed_generator import write_baseline
from pipelines import citations
from pipelines.citations import files_to_scan, plan_files, pubmed_files, refuse_left_out, refuse_two_baselines
from pipelines.corpora.identity import identify
from pipelines.corpora.input_files import InputError, find_input_files
from pipelines.outputs.coverage import Coverage
from pipelines.schema import DELETED, SUPERSEDED

ROOT = Path(__file__).parents[2]


@pytest.fixture
def corpus(tmp_path):
    """Files, the truth, and an output folder."""
    truth = write_baseline(tmp_path / "pubmed", files=2, citations=30, updates=3, seed=5)
    (tmp_path / "o").mkdir()
    return versioned(tmp_path / "pubmed"), truth, tmp_path / "o"


def versioned(folder):
    return identify(find_input_files([str(folder)], "pubmed"), ()).files


def one_after_the_other(function, files):
    for file in files:
        function(file)


def test_the_plan_is_the_truth(corpus):
    files, truth, folder = corpus
    plan = plan_files(files, folder, one_after_the_other)
    assert sum(one.to_tag for one in plan.files.values()) == len(truth.texts)
    assert sum(len(one.withdrawn[SUPERSEDED]) for one in plan.files.values()) == truth.superseded > 0
    assert sum(len(one.withdrawn[DELETED]) for one in plan.files.values()) == truth.deleted > 0
    assert plan.unknown_deletions == truth.unknown_deletions == 3
    assert {Path(path).name: one.citations for path, one in plan.files.items()} == truth.records
    assert plan.warnings == ()


def test_xml_under_another_name_is_told_by_its_content_and_not_opened_again(tmp_path):
    write_baseline(tmp_path, files=1, citations=2, updates=0, seed=5)
    [numbered] = tmp_path.glob("*.xml.gz")
    numbered.rename(tmp_path / "mine.xml.gz")
    (tmp_path / "article.xml").write_text("<article/>", encoding="utf-8")
    (tmp_path / "broken.xml").write_text("<PubmedArticleSet", encoding="utf-8")
    files = identify(find_input_files([str(tmp_path)]), ()).files
    assert {file.format for file in files} == {"xml"}

    told = citations.tell_pubmed(files, ())

    assert {Path(file.path).name: file.format for file in told} == {
        "mine.xml.gz": "pubmed", "article.xml": "xml", "broken.xml": "xml",
    }  # fmt: skip
    recorded = [asdict(file) for file in told]
    for file in files:
        Path(file.path).unlink()
    assert citations.tell_pubmed(files, recorded) == told


def test_a_file_is_scanned_once(corpus):
    files, _, folder = corpus
    scanned = []

    def noting(function, some):
        scanned.append([Path(file.path).name for file in some])
        one_after_the_other(function, some)

    first = plan_files(files[:3], folder, noting)
    plan_files(files[:3], folder, noting)
    every = plan_files(files, folder, noting)
    assert scanned == [[f"pubmed26n{i:04d}.xml.gz" for i in numbers] for numbers in ((1, 2, 3), (4, 5))]
    assert set(first.files) < set(every.files)


def test_what_is_kept_is_of_one_version_of_a_file_and_of_cytotag(corpus, monkeypatch):
    files, _, folder = corpus
    plan_files(files, folder, one_after_the_other)
    os.utime(files[0].path)
    Path(files[1].path).write_bytes(Path(files[2].path).read_bytes())
    Path(f"{files[1].path}.md5").unlink()
    again = versioned(Path(files[0].path).parent)
    assert [Path(file.path).name for file in files_to_scan(again, folder)] == ["pubmed26n0002.xml.gz"]
    monkeypatch.setattr("pipelines.outputs.citation_cache.installed_version", lambda _: "99")
    assert len(files_to_scan(again, folder)) == 5


@pytest.mark.parametrize("damage", [b"", b"PAR1", None])
def test_what_is_damaged_is_made_again(corpus, damage):
    files, _, folder = corpus
    before = plan_files(files, folder, one_after_the_other)
    for kept in (folder / "_citations").iterdir():
        kept.write_bytes(kept.read_bytes()[:-1] if damage is None else damage)
    (folder / "_citations" / ".x.parquet.1.tmp").write_bytes(b"")
    after = plan_files(files, folder, one_after_the_other)
    assert {path: one.to_tag for path, one in after.files.items()} == {
        path: one.to_tag for path, one in before.files.items()
    }
    assert not list((folder / "_citations").glob(".*"))


def test_an_earlier_file_that_went_away_is_needed_only_where_it_was_not_scanned(corpus):
    files, _, folder = corpus
    plan_files(files[:2], folder, one_after_the_other)
    for file in files[:3]:
        Path(file.path).unlink()
    plan_files(files[:2], folder, one_after_the_other)
    with pytest.raises(InputError, match=r"pubmed26n0003.xml.gz: no such file"):
        plan_files(files[:3], folder, one_after_the_other)


def test_pubmed_files_are_found_among_the_inputs_of_a_manifest(corpus):
    files, _, _ = corpus
    rows = [{**vars(file), "documents": 3, "complete": True} for file in files]
    assert pubmed_files([{**rows[0], "format": "jsonl"}, *rows]) == list(files)
    refused = {**rows[1], "version": "", "error": "its MD5 is another"}
    assert pubmed_files([rows[0], refused]) == [files[0]]
    assert pubmed_files([*rows, refused]) == list(files)  # what was read of it before still has its say


def test_two_baselines_are_refused_and_other_formats_do_not_matter(corpus, tmp_path):
    files, _, _ = corpus
    (tmp_path / "pubmed25n0001.jsonl").touch()
    (tmp_path / "pubmed25n0001.xml").touch()
    refuse_two_baselines([*files, *find_input_files([str(tmp_path / "pubmed25n0001.jsonl")])])
    with pytest.raises(InputError, match="of another year"):
        refuse_two_baselines([*files, *find_input_files([str(tmp_path / "pubmed25n0001.xml")])])


@pytest.mark.parametrize(
    ("row", "covered", "refused"),
    [
        ({}, None, True),
        ({"complete": False}, None, True),
        ({"complete": True}, None, False),  # a file without records is in no part
        ({}, Coverage(version="v", ranges=((0, 2),), end=2), False),
        ({}, Coverage(version="v", ranges=((0, 2),)), True),
        ({"format": "jsonl"}, None, False),
        ({"error": "its MD5 is another"}, None, False),
    ],
)
def test_a_file_of_the_run_that_was_not_tagged_to_its_end_must_be_named_again(row, covered, refused):
    inputs = [{"path": "a.xml", "format": "pubmed", **row}]
    done = {"a.xml": covered} if covered else {}
    refuse_left_out(inputs, [citations.InputFile(path="a.xml", format="pubmed", size=1, version="v")], done)
    if refused:
        with pytest.raises(InputError, match=r"^a.xml: is part of this run .* name it again"):
            refuse_left_out(inputs, [], done)
    else:
        refuse_left_out(inputs, [], done)


def run(*arguments):
    command = [sys.executable, "-m", "pipelines", "pubmed", "plan", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_the_command_shows_the_plan(corpus):
    files, truth, _ = corpus
    folder = Path(files[0].path).parent
    (folder / "pubmed26n0004.xml.gz").unlink()
    (folder / "pubmed26n0002.xml.gz.md5").unlink()
    (folder / "pubmed26n0003.xml.gz.md5").write_text("0" * 32 + "  pubmed26n0003.xml.gz\n")
    shown = run(folder)
    assert shown.returncode == 3
    assert "4 files" in shown.stdout
    assert "(number 0003 to 0004)" in shown.stdout
    assert "download it again" in shown.stdout
    told = run(folder, "--json")
    made = json.loads(told.stdout)
    assert [row["md5"] for row in made["files"]] == ["ok", "absent", "ok", "bad"]
    names = [Path(row["file"]).name for row in made["files"]]
    assert [row["citations"] for row in made["files"]] == [*(truth.records[name] for name in names[:3]), 0]
    assert made["total"]["to_tag"] == sum(row["to_tag"] for row in made["files"])
    assert len(made["warnings"]) == 2


def test_the_command_says_what_it_cannot_read(tmp_path):
    (tmp_path / "a.xml").write_text("<PubmedArticleSet><PubmedArticle>")
    shown = run(tmp_path)
    assert shown.returncode == 3
    assert "warning: " in shown.stdout
    (tmp_path / "pubmed25n0001.xml").touch()
    (tmp_path / "pubmed26n0001.xml").touch()
    refused = run(tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
