"""The recipe in training/, on a random encoder of a few kilobytes."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tokenizers import Tokenizer

from actors.model_files import ModelFiles
from pipelines.models.importing import import_model
from tests.export.tiny_families import CORPUS, save_family
from training import distil, loop, soft_labels, unlabelled
from training.fine_tune import load_encoder, save
from training.labelled_sentences import IGNORED, LABELS, read_labelled_sentences

GOLD = [{"document_id": "1", "text": CORPUS[0], "entities": [{"start": 4, "end": 13, "entity": "DNA"}]}]


@pytest.fixture
def encoder(tmp_path):
    """A folder as `training.encoders` unpacks one: no classifier in it."""
    _, model = save_family(tmp_path / "family", "bert")
    model.base_model.save_pretrained(tmp_path / "encoder")
    shutil.copyfile(tmp_path / "family" / "tokenizer.json", tmp_path / "encoder" / "tokenizer.json")
    (tmp_path / "encoder" / "tokenizer_config.json").write_text('{"do_lower_case": true}', encoding="utf-8")
    return tmp_path / "encoder"


@pytest.fixture
def gold(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_text("".join(json.dumps(document) + "\n" for document in GOLD), encoding="utf-8")
    return path


def learn(encoder, output, *, fail_at=None, average=0.5):
    """Weights after 8 steps; the run breaks off at step `fail_at`."""
    torch.manual_seed(1)
    model = load_encoder(encoder, dropout=0.0)
    steps = iter(range(1, 100))

    def loss_of(batch):
        if next(steps) == fail_at:
            raise KeyboardInterrupt
        return model(input_ids=loop.pad(batch, 0)).logits.square().mean()

    loop.train(
        model,
        loop.endless_batches([[2, number, 3] for number in range(5, 40)], 4, 1, len),
        loss_of,
        steps=8,
        learning_rate=1e-2,
        layer_decay=0.9,
        warmup=0.2,
        average=average,
        output=output,
    )
    return {name: weights.clone() for name, weights in model.state_dict().items()}


def test_a_run_that_was_stopped_ends_as_one_that_was_not(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "CHECKPOINT_STEPS", 3)
    whole = learn(encoder, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        learn(encoder, tmp_path / "stopped", fail_at=6)
    stopped = learn(encoder, tmp_path / "stopped")
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
    last = learn(encoder, tmp_path / "last", average=0.0)
    assert not all(torch.equal(whole[name], last[name]) for name in whole)  # the average is another model


def test_rates_fall_from_layer_to_layer(encoder):
    model = load_encoder(encoder, dropout=0.0)
    optimizer = loop.optimizer_of(model, learning_rate=1.0, layer_decay=0.5)
    rates = {
        name: group["lr"] for (name, _), group in zip(model.named_parameters(), optimizer.param_groups, strict=True)
    }
    assert rates["bert.encoder.layer.1.output.dense.weight"] == 1.0
    assert rates["bert.encoder.layer.0.output.dense.weight"] == 0.5
    assert rates["bert.embeddings.word_embeddings.weight"] == 0.25
    assert rates["classifier.weight"] == loop.CLASSIFIER_RATE


def test_what_is_saved_is_imported(encoder, tmp_path):
    save(load_encoder(encoder, dropout=0.1), encoder, tmp_path / "model")
    import_model(tmp_path / "model", tmp_path / "imported")
    model = ModelFiles.from_pretrained(tmp_path / "imported")
    assert (model.labels, model.tag_policy) == (LABELS, "strict")


def test_a_teacher_says_what_it_thinks_of_each_word_and_a_student_learns_it(encoder, gold, tmp_path):
    teacher = load_encoder(encoder, dropout=0.0).eval()
    save(teacher, encoder, tmp_path / "teacher")
    (tmp_path / "sentences.txt").write_text("\n".join(CORPUS[1:3]) + "\n", encoding="utf-8")
    soft_labels.label(
        teacher=[tmp_path / "teacher", tmp_path / "teacher"],
        encoder=encoder,
        train=gold,
        unlabelled=tmp_path / "sentences.txt",
        output=tmp_path / "soft",
        threads=1,
    )
    [row] = pq.read_table(tmp_path / "soft" / "gold-000.parquet").to_pylist()
    tokenizer = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    [sentence] = read_labelled_sentences(gold, tokenizer)
    labels = np.array(sentence.label_ids)
    assert row["gold"] == labels[labels != IGNORED].tolist()
    assert row["words"] == np.flatnonzero(labels != IGNORED).tolist()
    with torch.inference_mode():
        expected = teacher(input_ids=torch.tensor([row["input_ids"]])).logits[0, row["words"]].softmax(-1).numpy()
    assert np.allclose(np.array(row["probabilities"]).reshape(expected.shape), expected, atol=1e-6)
    others = pq.read_table(tmp_path / "soft" / "unlabelled-000.parquet").to_pylist()
    assert [row["gold"] for row in others] == [None, None]

    [both] = distil.read_soft_sentences([tmp_path / "soft" / "gold-000.parquet"], gold_share=0.25)
    one_hot = np.eye(len(LABELS))[row["gold"]]
    assert np.allclose(both.targets, 0.75 * expected + 0.25 * one_hot, atol=1e-6)

    distil.distil(soft=tmp_path / "soft", start=encoder, output=tmp_path / "student", steps=2, threads=1)
    import_model(tmp_path / "student", tmp_path / "imported")
    assert ModelFiles.from_pretrained(tmp_path / "imported").labels == LABELS


def test_a_teacher_that_cuts_words_elsewhere_is_refused(encoder):
    student = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    teacher = Tokenizer.from_file(str(encoder / "tokenizer.json"))
    assert soft_labels.teacher_ids(student, teacher).tolist() == list(range(student.get_vocab_size()))
    student.add_tokens(["osteoblast"])
    with pytest.raises(ValueError, match="no word piece 'osteoblast'"):
        soft_labels.teacher_ids(student, teacher)


def test_the_documents_that_are_most_like_the_training_corpus_come_first(encoder, gold, tmp_path):
    documents = [CORPUS[1], "Of our prices, a few were as low as those of the year before.", CORPUS[0].upper()]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in documents)
    (tmp_path / "unlabelled.jsonl").write_text(lines, encoding="utf-8")
    unlabelled.choose(
        train=gold,
        unlabelled=[tmp_path / "unlabelled.jsonl"],
        tokenizer=encoder / "tokenizer.json",
        output=tmp_path / "chosen.txt",
        sentences=2,
    )
    assert (tmp_path / "chosen.txt").read_text(encoding="utf-8").splitlines() == [CORPUS[0].upper(), CORPUS[1]]
