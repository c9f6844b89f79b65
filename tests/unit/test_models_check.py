"""`cytotag model check` on folders that were imported, were not, or changed since."""

import json
import shutil

import onnx
import pytest

from benchmarks.random_bert import TINY, save_model
from pipelines.models.checks import check_folder
from pipelines.models.importing import import_model

ALL = ["files", "hashes", "labels", "special tokens", "casing", "precision", "vocabulary", "positions", "forward pass"]


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("check")
    import_model(save_model(folder / "tiny", TINY), folder / "model")
    return folder / "model"


@pytest.fixture
def folder(imported, tmp_path):
    return shutil.copytree(imported, tmp_path / "model")


def problems(folder):
    return {one.name: one.problem for one in check_folder(folder) if one.problem}


def test_a_folder_that_was_imported(imported):
    checks = list(check_folder(imported))
    assert [one.name for one in checks] == ALL
    assert [one.problem for one in checks] == [None] * len(ALL)
    assert all(one.known for one in checks)
    found = {one.name: one.found for one in checks}
    assert found["labels"] == "12, BIO: DNA, RNA, cell_line, cell_type, protein"
    assert found["special tokens"] == "[CLS] text [SEP]"
    assert found["vocabulary"] == "600 word pieces, 600 rows of word embeddings"
    assert found["positions"] == "128 word pieces at once; 128 rows of positions"


def test_a_folder_that_was_not_imported_has_no_hashes(tmp_path):
    checks = list(check_folder(save_model(tmp_path / "tiny", TINY)))
    assert [one.name for one in checks] == ALL
    assert {one.name: one.problem for one in checks if one.problem} == {}
    assert [one.found for one in checks if not one.known] == ["no model_manifest.json: not made by cytotag"]


def append(name, text="\n"):
    def change(folder):
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write(text)

    return change


def add_weights(folder):
    (folder / "model.onnx.data").write_bytes(b"")


def drop_tokenizer_settings(folder):
    (folder / "tokenizer_config.json").unlink()


def damage_manifest(folder):
    (folder / "model_manifest.json").write_text("{}", encoding="utf-8")


def cut_graph(folder):
    data = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(data[: len(data) // 2])


def other_label_count(folder):
    model = onnx.load(folder / "model.onnx")
    model.metadata_props[0].value = "9"
    onnx.save(model, folder / "model.onnx")


def fewer_words(folder):
    words = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    (folder / "vocab.txt").write_text("\n".join([*words, "##more"]), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "name", "parts"),
    [
        (append("config.json"), "hashes", ("config.json: was changed since cytotag made the model",)),
        (append("vocab.txt", "more\n"), "hashes", ("vocab.txt: was changed since",)),
        (drop_tokenizer_settings, "hashes", ("tokenizer_config.json: was taken away since",)),
        (add_weights, "hashes", ("model.onnx.data: was added since",)),
        (damage_manifest, "hashes", ("model_manifest.json: damaged", "import the model again")),
        (cut_graph, "graph", ("model.onnx: not an ONNX file",)),
        (other_label_count, "forward pass", ("model.onnx gives 9 labels, config.json names 12",)),
        (fewer_words, "vocabulary", ("the tokenizer has 601 word pieces, model.onnx 600 rows",)),
        (fewer_words, "forward pass", ("a trial run on 128 word pieces of id 600",)),
        (lambda folder: (folder / "model.onnx").unlink(), "files", ("no model.onnx",)),
        (shutil.rmtree, "files", ("no such model folder",)),
    ],
)
def test_what_is_wrong_is_named(change, name, parts, folder):
    change(folder)
    found = problems(folder)
    assert all(part in found[name] for part in parts), found
    assert "\n" not in found[name]


def test_the_command(cytotag, folder):
    code, out, err = cytotag("model", "check", folder)
    assert (code, err) == (0, "")
    assert str(folder) in out.replace("\n", "")
    assert out.count("good") == len(ALL)
    append("config.json")(folder)
    code, out, err = cytotag("model", "check", folder)
    assert code == 1
    assert "wrong" in out
    assert err.startswith(f"problem: {folder / 'config.json'}: was changed since cytotag made the model")


def test_the_command_on_the_embedded_model(cytotag):
    code, out, err = cytotag("model", "check")
    assert (code, err) == (0, "")
    assert "not known" not in out


@pytest.mark.usefixtures("folder")
def test_list(cytotag, tmp_path):
    broken = save_model(tmp_path / "more" / "broken", TINY)
    (broken / "config.json").write_text(json.dumps({"id2label": {}}), encoding="utf-8")
    save_model(tmp_path / ".hidden", TINY)
    code, out, err = cytotag("model", "list", tmp_path)
    words = " ".join(out.replace("│", " ").split())
    assert (code, err) == (0, "")
    for part in (
        "embedded",
        "bert, int8",
        "bert, fp32, 0.2 MB",
        "policy cut,",
        "policy strict,",
        "12 BIO",
        "cannot be used",
        "from run-fp32",
    ):
        assert part in words, part
    assert words.count("word pieces") == 2
    code, _, err = cytotag("model", "list", tmp_path / "nothing")
    assert (code, "no such folder" in err) == (1, True)
