"""The command line where it needs no Ray: one text, help, and every mistake that is found before Ray starts."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.commands.tag import ner_converter
from pipelines.local_ray import local_cpus

ROOT = Path(__file__).parents[2]
TEXT = "IL-2 mRNA in Jurkat T cells."


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text(json.dumps({"document_id": "1", "text": TEXT}) + "\n", encoding="utf-8")
    return path


def test_one_text_gives_json_lines_where_stdout_is_no_terminal(cytotag):
    code, out, _ = cytotag("tag", "--text", TEXT)

    chunks = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert chunks
    assert all(TEXT[chunk["start"] : chunk["end"]] == chunk["text"] for chunk in chunks)


def test_stdin_is_the_same_text(cytotag):
    _, from_option, _ = cytotag("tag", "--text", TEXT)
    _, from_stdin, _ = cytotag("tag", "-", stdin=TEXT.encode())

    assert from_stdin == from_option


def test_options_of_the_converter_reach_one_text(cytotag):
    _, everything, _ = cytotag("tag", "--text", TEXT)
    _, rna, _ = cytotag("tag", "--text", TEXT, "--white-list", "RNA")
    _, nothing, _ = cytotag("tag", "--text", TEXT, "--threshold", "1")

    assert {json.loads(line)["entity"] for line in rna.splitlines()} == {"RNA"}
    assert len(rna.splitlines()) < len(everything.splitlines())
    assert nothing == ""


@pytest.mark.parametrize(
    ("threshold", "compat", "for_all", "by_entity"),
    [
        (None, None, 0.7, {}),
        ("0", None, 0, {}),
        ("0.2", None, 0.2, {}),
        ("RNA=0.3", None, 0.7, {"RNA": 0.3}),
        ("RNA=0.3,0.1", None, 0.1, {"RNA": 0.3}),
        (None, "sparknlp", 0, {}),
        ("0.2", "sparknlp", 0.2, {}),
    ],
)
def test_the_models_own_threshold_holds_where_no_other_is_said(threshold, compat, for_all, by_entity, embedded_model):
    converter = ner_converter(replace(embedded_model, threshold=0.7), compat, None, threshold)
    assert (converter.threshold, converter.entity_thresholds) == (for_all, by_entity)


def test_a_text_that_is_called_like_a_file_is_a_text(cytotag):
    code, _, _ = cytotag("tag", "--text", "/etc/passwd")

    assert code == 0


def test_one_text_starts_no_ray():
    program = (
        "import sys; sys.argv = ['cytotag', 'tag', '--text', 'p53']\n"
        "from pipelines.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit(1 if {'ray', 'torch', 'transformers'} & set(sys.modules) else 0)"
    )

    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.jsonl", "--output", "OUT"], "missing.jsonl: no such file or folder"),
        (["CORPUS"], "--output DIR is missing"),
        ([], "Usage"),
        (["CORPUS", "--output", "OUT", "--model", "nowhere"], "nowhere: no such model folder"),
        (["CORPUS", "--output", "OUT", "--device", "cuda"], "--device cuda: the installed onnxruntime has no CUDA"),
        (["CORPUS", "--output", "OUT", "--device", "tensorrt"], "the installed onnxruntime has no Tensorrt"),
        (["CORPUS", "--output", "OUT", "--session", "speed=high"], "--session speed=high: give KEY=VALUE, where KEY"),
        (["CORPUS", "--output", "OUT", "--session", "precision=float16"], "not for --device cpu; there floats are"),
        (["CORPUS", "--output", "OUT", "--actors", "many"], "--actors many: give N or MIN:MAX"),
        (["CORPUS", "--output", "OUT", "--actors", "3:2"], "1 <= MIN <= MAX"),
        (["CORPUS", "--output", "OUT", "--actors", "1000"], f"ask for at most {local_cpus()} actors"),
        (["CORPUS", "--output", "OUT", "--threads", "1000"], "ask for fewer --threads"),
        (["CORPUS", "--output", "OUT", "--white-list", "gene"], "no entity 'gene'"),
        (["CORPUS", "--output", "OUT", "--threshold", "high"], "'high' is not a number"),
        (["CORPUS", "--output", "OUT", "--threshold", "7"], "not within 0 to 1"),
        (["CORPUS", "--output", "OUT", "--resume", "--overwrite"], "choose one"),
        (["CORPUS", "--output", "UNKNOWN"], "is a file; choose a folder for the output"),
        (["CORPUS", "--output", "FULL"], "holds other.txt and no cytotag run"),
        (["HERE", "--output", "HERE"], "lies in the output folder"),
        (["CORPUS", "--output", "/proc/cytotag"], "cannot be used as the output folder"),
        (["CORPUS", "--text", "both", "--output", "OUT"], "leave out --output"),
        (["EMPTY", "--output", "OUT"], "the folder holds no file to read"),
        (["UNKNOWN", "--output", "OUT"], "say --input-format"),
        (["CORPUS", "--output", "OUT", "--input-format", "word"], "'word' is not one of"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(cytotag, corpus, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other.txt").write_text("x")
    (tmp_path / "unknown.doc").write_text("x")
    places = {
        "CORPUS": corpus,
        "HERE": tmp_path,
        "OUT": tmp_path / "out",
        "EMPTY": tmp_path / "empty",
        "FULL": tmp_path / "full",
        "UNKNOWN": tmp_path / "unknown.doc",
    }

    code, out, err = cytotag("tag", *(places.get(argument, argument) for argument in arguments))

    assert code != 0
    assert message in " ".join((out + err).replace("│", " ").split())
    assert "Traceback" not in err
    if code == 1:
        assert err.count("\n") == 1
        assert err.startswith("cytotag: ")
    assert not list((tmp_path / "out").glob("part-*"))


def test_stdin_that_is_not_utf8_is_refused(cytotag):
    code, _, err = cytotag("tag", "-", stdin=b"p53 \xff")

    assert code == 1
    assert err == "cytotag: stdin: not UTF-8 at byte 4; convert it\n"


@pytest.mark.parametrize("command", [[], ["tag"], ["show"], ["evaluate"]])
def test_help_names_every_command_and_option(cytotag, command):
    _, out, _ = cytotag(*command, "--help")

    assert "Usage: cytotag" in out
    expected = {
        "": ["tag", "show", "evaluate"],
        "tag": ["--output", "--input-format", "--model", "--device", "--session", "--actors", "--threads",
                "--white-list", "--threshold", "--address", "--resume", "--overwrite",
                "--one-document-per-line", "--text"],
        "show": ["--limit"],
        "evaluate": ["--gold", "--gold-format", "--predictions", "--compare", "--errors", "--json"],
    }  # fmt: skip
    assert [name for name in expected[" ".join(command)] if name not in out] == []


def test_the_version_is_printed(cytotag, monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: f"{name} 1.2")

    assert cytotag("--version")[:2] == (0, "cytotag cytotag 1.2\n")


def test_evaluate_scores_a_dataset(cytotag, tmp_path):
    gold = tmp_path / "gold.jsonl"
    entities = [{"start": 0, "end": 9, "entity": "RNA"}, {"start": 13, "end": 27, "entity": "cell_line"}]
    gold.write_text(json.dumps({"document_id": "1", "text": TEXT, "entities": entities}) + "\n", encoding="utf-8")
    predictions = tmp_path / "chunks"
    predictions.mkdir()
    right = {"document_id": "1", "start": 0, "end": 9, "entity": "RNA", "text": "IL-2 mRNA"}
    (predictions / "part.jsonl").write_text(json.dumps(right) + "\n", encoding="utf-8")

    code, out, _ = cytotag("evaluate", "--gold", gold, "--predictions", predictions)

    assert code == 0
    micro = next(line for line in out.splitlines() if "micro" in line).split("│")
    assert [cell.strip() for cell in micro[2:5]] == ["100.00", "50.00", "66.67"]


def test_evaluate_names_what_is_wrong_with_its_input(cytotag, tmp_path):
    (tmp_path / "gold.jsonl").write_text("{}\n")
    (tmp_path / "chunks").mkdir()

    code, _, err = cytotag("evaluate", "--gold", tmp_path / "gold.jsonl", "--predictions", tmp_path / "chunks")

    assert code == 1
    assert "gold.jsonl: line 1 has no field `text`" in err
