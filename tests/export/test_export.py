"""Weights to a graph, with torch and transformers: `make test-export`."""

import json
import re
import socket

import numpy as np
import pytest
import sentencepiece
import torch

from actors.model_files import ModelError, ModelFiles
from actors.onnx_session import OnnxSession
from pipelines.light import LightPipeline
from pipelines.models.checks import check_folder
from pipelines.models.comparison import example_documents, windows_of
from pipelines.models.importing import import_model
from pipelines.models.quantizing import quantize_model
from pipelines.pages.example_texts import EXAMPLE_TEXTS
from tests.export.tiny_families import CORPUS, FAMILIES, change_config, save_family

FUSED = {"bert", "distilbert", "roberta", "electra"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("nothing may be fetched")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_each_family(family, tmp_path):
    source, model = save_family(tmp_path / "source", family)
    manifest = import_model(source, tmp_path / "model")
    assert (manifest.layout, manifest.precision) == ("Hugging Face, safetensors", "fp32")
    assert ("2 attention" in manifest.done[1]) == (family in FUSED)
    assert ("attention as exported" in manifest.done[1]) == (family not in FUSED)
    assert [one.problem for one in check_folder(tmp_path / "model") if one.problem] == []
    files = ModelFiles.from_pretrained(tmp_path / "model")
    assert files.max_length == (64 if family in ("roberta", "mpnet") else 66)
    session, seen = OnnxSession(files.graph), set()
    for window in windows_of(example_documents(files)):
        ids = np.stack([window, np.roll(window, 3)])
        tag_ids, scores = session.run(ids)
        with torch.inference_mode():
            probabilities = model(
                input_ids=torch.from_numpy(ids), attention_mask=torch.ones(ids.shape, dtype=torch.int64)
            ).logits.softmax(-1)
        of_our_tags = np.take_along_axis(probabilities.numpy(), tag_ids[..., None], -1)[..., 0]
        np.testing.assert_allclose(of_our_tags, probabilities.amax(-1), atol=1e-5)  # random weights: labels nearly tie
        np.testing.assert_allclose(scores, probabilities.amax(-1), atol=1e-3)
        seen |= set(tag_ids.ravel().tolist())
    assert len(seen) > 2
    assert any(LightPipeline(files).annotate([text for _, text in EXAMPLE_TEXTS]))
    done = quantize_model(tmp_path / "model", tmp_path / "int8", ["docs/demo/abstracts.jsonl"], sentences=50)
    assert done.equal > 0.7  # random weights leave labels nearly equal
    assert [one.problem for one in check_folder(tmp_path / "int8") if one.problem] == []


def test_weights_in_several_files(tmp_path):
    source, _ = save_family(tmp_path / "source", "bert", max_shard_size="30KB")
    assert not (source / "model.safetensors").exists()
    assert import_model(source, tmp_path / "model").compared["pieces"] > 1000
    next(source.glob("model-00002*")).unlink()
    with pytest.raises(ModelError, match="cannot load it as a token classifier"):
        import_model(source, tmp_path / "other")


def test_a_tokenizer_that_is_a_sentencepiece_model(tmp_path):
    source, _ = save_family(tmp_path / "source", "deberta-v2")
    (source / "tokenizer.json").unlink()
    sentences = tmp_path / "sentences.txt"
    sentences.write_text("\n".join(CORPUS), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(sentences),
        model_prefix=str(source / "spm"),
        vocab_size=60,
        hard_vocab_limit=False,
        pad_id=0,
        bos_id=1,
        eos_id=2,
        unk_id=3,
        pad_piece="[PAD]",
        bos_piece="[CLS]",
        eos_piece="[SEP]",
        unk_piece="[UNK]",
        minloglevel=2,
    )
    settings = {"tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": False, "vocab_type": "spm"}
    (source / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    import_model(source, tmp_path / "model")
    assert (tmp_path / "model" / "tokenizer.json").is_file()
    found = {one.name: one for one in check_folder(tmp_path / "model")}
    assert found["special tokens"].found == "[CLS] text [SEP]"
    assert not any(one.problem for one in found.values())


def base_model(folder):
    """Weights of an encoder that nobody trained to classify."""
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def other_labels(folder):
    change_config(folder, id2label={"0": "O", "1": "B-x"}, label2id={"O": 0, "B-x": 1})


def code_of_others(folder):
    """A model whose code stands in its folder: to import it would be to run that."""
    code = f"open({str(folder / 'ran')!r}, 'w').close()\n"
    (folder / "modeling_evil.py").write_text(code, encoding="utf-8")
    names = {"AutoConfig": "modeling_evil.Config", "AutoModelForTokenClassification": "modeling_evil.Model"}
    change_config(folder, model_type="evil", auto_map=names)


def damaged(folder):
    (folder / "model.safetensors").write_bytes(b"\x00" * 100)


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (base_model, r"its weights lack classifier\.bias \(2 in all\)"),
        (other_labels, "cannot load it as a token classifier"),
        (code_of_others, "cannot load it as a token classifier"),
        (damaged, "cannot load it as a token classifier"),
    ],
)
def test_weights_that_are_refused(break_it, message, tmp_path):
    source, _ = save_family(tmp_path / "source", "bert")
    break_it(source)
    with pytest.raises(ModelError, match=message) as caught:
        import_model(source, tmp_path / "model")
    assert "\n" not in str(caught.value)
    assert re.search(re.escape(str(source)), str(caught.value))
    assert not (source / "ran").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
