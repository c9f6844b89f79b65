import hashlib
import json
import pickle
from pathlib import Path

import pytest

from actors.model_files import EMBEDDED_MODEL, MAX_LABELS, ModelError, ModelFiles


def refuses(folder, *parts):
    """The message is one line that has all of `parts` in it."""
    with pytest.raises(ModelError) as caught:
        ModelFiles.from_pretrained(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert all(str(part) in message for part in parts), message


def test_the_embedded_model():
    model = ModelFiles.from_pretrained()
    assert model == ModelFiles.from_pretrained(EMBEDDED_MODEL) == ModelFiles.from_pretrained(str(EMBEDDED_MODEL))
    assert model.labels[:3] == ("O", "B-protein", "I-protein")
    assert len(model.labels) == 11
    assert (model.max_length, model.largest_piece) == (512, 30_521)
    assert (model.tag_policy, model.threshold) == ("strict", 0.55)
    assert pickle.loads(pickle.dumps(model)) == model  # noqa: S301  # our own bytes


def test_a_relative_path_is_made_absolute(model_folder, monkeypatch):
    folder = model_folder()
    monkeypatch.chdir(folder.parent)
    assert ModelFiles.from_pretrained("model").folder == str(folder)


def test_labels_are_ordered_by_number(model_folder):
    labels = {str(i): f"B-{i}" for i in reversed(range(12))}
    assert ModelFiles.from_pretrained(model_folder({"id2label": labels})).labels == tuple(f"B-{i}" for i in range(12))


def test_the_folder_or_one_of_its_files_is_missing(model_folder):
    folder = model_folder()
    refuses(folder / "nothing", folder / "nothing", "no such model folder", "give one")
    refuses(folder / "config.json", "no such model folder")
    for name, advice in {
        "tokenizer.json": "copy the model's tokenizer",
        "config.json": "id2label",
        "model.onnx": "export",
    }.items():
        (folder / name).unlink()
        refuses(folder, folder, name, advice)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "no `id2label`"),
        (b'{"id2label": {}}', "no `id2label`"),
        (b'{"id2label": ["O"]}', "no `id2label`"),
        (b'{"id2label": {"O": 0}}', "must be numbers"),
        (b'{"id2label": {"1": "O"}}', "from 0 without a gap"),
        (b'{"id2label": {"0": "O", "2": "B-x"}}', "from 0 without a gap"),
        (b'{"id2label": {"0": "O"}}', "no `max_position_embeddings`"),
        (b'{"id2label": {"0": "O"}, "max_position_embeddings": null}', "no `max_position_embeddings`"),
        (b'{"id2label": {"0": "O"}, "max_position_embeddings": "512"}', "must be a number"),
        (b'{"id2label": {"0": "O"}, "max_position_embeddings": NaN}', "must be a number"),
        (b'{"id2label": {"0": "O"}, "max_position_embeddings": 7}', "7 word pieces"),
    ],
)
def test_config_json_is_malformed(content, complaint, model_folder):
    folder = model_folder()
    (folder / "config.json").write_bytes(content)
    refuses(folder, folder, complaint)


@pytest.mark.parametrize("threshold", [0, 0.0, 0.3, 1])
def test_what_a_chunk_must_score_unless_a_user_says_otherwise(threshold, model_folder):
    assert ModelFiles.from_pretrained(model_folder({"threshold": threshold})).threshold == threshold
    assert ModelFiles.from_pretrained(model_folder()).threshold == 0


@pytest.mark.parametrize("threshold", ["0.5", True, None, -0.1, 1.1, float("nan"), [0.5]])
def test_a_threshold_that_is_none(threshold, model_folder):
    refuses(model_folder({"threshold": threshold}), "config.json", "`threshold` is", "from 0 to 1")


def test_more_labels_than_a_tag_id_can_number(model_folder):
    labels = {str(i): f"B-{i}" for i in range(MAX_LABELS)}
    assert len(ModelFiles.from_pretrained(model_folder({"id2label": labels})).labels) == MAX_LABELS
    refuses(model_folder({"id2label": {**labels, str(MAX_LABELS): "O"}}), "config.json", "32,769 labels")


@pytest.mark.parametrize(
    ("config", "tokenizer_config", "max_length"),
    [
        ({"max_position_embeddings": 512}, None, 512),
        ({"max_position_embeddings": 512}, {}, 512),
        ({"max_position_embeddings": 512}, {"model_max_length": None}, 512),
        ({"max_position_embeddings": 512}, {"model_max_length": 128}, 128),
        ({"max_position_embeddings": 512}, {"model_max_length": 1000}, 512),
        ({"max_position_embeddings": 512}, {"model_max_length": 1e30}, 512),
        ({"max_position_embeddings": 512}, {"model_max_length": float("inf")}, 512),
        ({"max_position_embeddings": None}, {"model_max_length": 256}, 256),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, {"model_max_length": 512}, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514}, {"model_max_length": 1e30}, 512),
        ({"model_type": "camembert", "max_position_embeddings": 514, "pad_token_id": None}, None, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 0}, None, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1}, None, 512),
        ({"model_type": "data2vec-text", "max_position_embeddings": 514, "pad_token_id": 1}, None, 512),
        ({"model_type": "deberta-v2", "max_position_embeddings": 512, "pad_token_id": 0}, None, 512),
        ({"model_type": "modernbert", "max_position_embeddings": 8192, "pad_token_id": 50283}, None, 8192),
        ({"model_type": "roberta", "max_position_embeddings": None}, {"model_max_length": 512}, 512),
    ],
)
def test_max_length(config, tokenizer_config, max_length, model_folder):
    model = ModelFiles.from_pretrained(model_folder(config, tokenizer_config))
    assert model.max_length == max_length
    assert isinstance(model.max_length, int)


def test_no_limit_is_known(model_folder):
    for tokenizer_config in (None, {"model_max_length": 1e30}):
        refuses(model_folder({"max_position_embeddings": None}, tokenizer_config), "config.json", "add it")
    refuses(model_folder(None, {"model_max_length": "512"}), "tokenizer_config.json", "must be a number")


def test_the_tokenizers_file_is_broken(model_folder):
    folder = model_folder()
    content = (folder / "tokenizer.json").read_text(encoding="utf-8")
    for broken in ("", "{}", content[:-100]):
        (folder / "tokenizer.json").write_text(broken, encoding="utf-8")
        refuses(folder, folder / "tokenizer.json", "not a tokenizer's file", "copy")


def test_a_vocabulary_file(model_folder):
    folder = model_folder()
    (folder / "tokenizer.json").unlink()
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n", encoding="utf-8")
    assert ModelFiles.from_pretrained(folder).largest_piece == 4
    vocabulary.write_text("[PAD]\n[UNK]\nthe\n", encoding="utf-8")
    refuses(folder, vocabulary, "no [CLS], [SEP] in it")
    vocabulary.write_bytes(b"\xff\xfe")
    refuses(folder, vocabulary)


def test_sha256_is_that_of_the_file_and_of_the_weights_beside_it(model_folder):
    model = ModelFiles.from_pretrained(model_folder())
    graph = Path(model.folder) / "model.onnx"
    assert model.graph == graph
    assert model.sha256() == hashlib.sha256(graph.read_bytes()).hexdigest()
    weights = graph.with_name("model.onnx.data")
    weights.write_bytes(b"first")
    first = model.sha256()
    weights.write_bytes(b"again")
    assert len({first, model.sha256(), hashlib.sha256(graph.read_bytes()).hexdigest()}) == 3


def test_added_tokens_count_to_the_vocabulary(model_folder):
    folder = model_folder()
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    token = {**content["added_tokens"][0], "id": 15, "content": "[NEW]"}
    content["added_tokens"].append(token)
    (folder / "tokenizer.json").write_text(json.dumps(content), encoding="utf-8")
    assert ModelFiles.from_pretrained(folder).largest_piece == 15
