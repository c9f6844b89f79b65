"""transformers' pipeline and ours find the same chunks with the same weights; where they differ, and why."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from transformers import pipeline

from actors.model_files import EMBEDDED_MODEL
from benchmarks.corpus import read_documents, write_corpus
from benchmarks.float_weights import TOKENIZER_FILES, save_float_weights
from benchmarks.measurement import ChunkRow
from benchmarks.random_bert import BertShape, save_model
from benchmarks.rivals.pipeline_turn import OPTIONS
from benchmarks.rivals.sentences import chunk_rows, read_sentences
from pipelines.light import LightPipeline
from pipelines.models.importing import import_model

SMALLEST = BertShape(layers=1, hidden=8, heads=1, intermediate=8, vocabulary=30_522, positions=512)
LABELS = ("B-word", "O")


def ours(folder, corpus):
    documents = list(read_documents(corpus))
    found = LightPipeline.from_pretrained(folder, threads=2).annotate([text for _, text in documents])
    return {
        ChunkRow(document_id, chunk["start"], chunk["end"], chunk["entity"])
        for (document_id, _), chunks in zip(documents, found, strict=True)
        for chunk in chunks
    }


def theirs(folder, corpus):
    sentences = read_sentences(corpus.sentences)
    tagger = pipeline("token-classification", model=str(folder), device="cpu", **OPTIONS)
    return set(chunk_rows(sentences, tagger([sentence.text for sentence in sentences], batch_size=32)))


@pytest.fixture(scope="module")
def every_word(tmp_path_factory):
    """A model with the embedded one's tokenizer to which every word is a chunk; for both sides."""
    folder = tmp_path_factory.mktemp("words")
    source = save_model(folder / "random", SMALLEST, labels=LABELS)
    (source / "vocab.txt").unlink()
    for name in TOKENIZER_FILES:
        if (EMBEDDED_MODEL / name).is_file():
            (source / name).write_bytes((EMBEDDED_MODEL / name).read_bytes())
    weights = save_float_weights(source, folder / "weights")
    values = load_file(weights / "model.safetensors")
    values["classifier.weight"] *= 0
    values["classifier.bias"] = np.array([5, -5], dtype=np.float32)
    save_file(values, weights / "model.safetensors", metadata={"format": "pt"})
    import_model(weights, folder / "float32")
    return weights, folder / "float32"


@pytest.fixture
def corpus_of(tmp_path):
    def write(*texts):
        lines = (json.dumps({"document_id": str(number), "text": text}) for number, text in enumerate(texts))
        (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return write_corpus(tmp_path / "texts.jsonl", tmp_path / "corpus")

    return write


def test_the_same_chunks_with_the_embedded_weights(embedded_pair, thirty):
    weights, float32 = embedded_pair
    found = ours(float32, thirty)
    assert len(found) > 300
    assert found == theirs(weights, thirty)


def test_the_same_words_in_all_development_abstracts(every_word, dev, tmp_path):
    weights, float32 = every_word
    corpus = write_corpus(dev, tmp_path / "corpus")
    found = ours(float32, corpus)
    assert len(found) > 40_000
    assert found == theirs(weights, corpus)


@pytest.mark.parametrize(
    ("text", "only_ours", "only_theirs"),
    [
        # An accent of its own is dropped, the word's first piece is shorter than its text: taken for the end of "of".
        ("Cells of e\u0301toposide.", ["of", "e\u0301toposide"], ["of e\u0301toposide"]),
        # What looks like a special token is one to transformers, and one word; here it is text, and three.
        ("The [SEP] gene.", ["[", "SEP", "]"], ["[SEP]"]),
    ],
)
def test_known_differences(every_word, corpus_of, text, only_ours, only_theirs):
    weights, float32 = every_word
    corpus = corpus_of(text)
    mine, others = ours(float32, corpus), theirs(weights, corpus)
    assert [text[row.start : row.end] for row in sorted(mine - others)] == only_ours
    assert [text[row.start : row.end] for row in sorted(others - mine)] == only_theirs


def test_what_is_over_the_model_s_length_transformers_leaves_out(every_word, corpus_of):
    weights, float32 = every_word
    corpus = corpus_of("cell " * 600)
    mine, others = ours(float32, corpus), theirs(weights, corpus)
    assert others < mine
    assert (len(mine), len(others)) == (600, 510)
