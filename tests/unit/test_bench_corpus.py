import json

import numpy as np

from actors.model_files import ModelFiles
from benchmarks.corpus import Corpus, model_windows, read_documents, write_corpus
from benchmarks.random_bert import TINY, save_model

TEXTS = {"7": "IL-2 binds. NF-kappa B does not.", "8": "The gene is expressed in T cells (Jurkat) at a low level."}


def source(folder):
    path = folder / "source.jsonl"
    path.write_text("".join(json.dumps({"document_id": one, "text": text}) + "\n" for one, text in TEXTS.items()))
    return path


def test_each_copy_has_ids_of_its_own_and_the_first_keeps_its(tmp_path):
    corpus = write_corpus(source(tmp_path), tmp_path / "corpus", copies=3)
    documents = list(read_documents(corpus))
    assert [one for one, _ in documents] == ["7", "8", "7-1", "8-1", "7-2", "8-2"]
    assert [text for _, text in documents] == list(TEXTS.values()) * 3
    assert corpus.size == Corpus(folder=tmp_path / "corpus").size == 6


def test_a_limit_takes_the_first(tmp_path):
    assert list(read_documents(write_corpus(source(tmp_path), tmp_path / "corpus", limit=1))) == [("7", TEXTS["7"])]


def test_sentences_lie_where_they_say(tmp_path):
    corpus = write_corpus(source(tmp_path), tmp_path / "corpus", copies=2)
    documents = dict(read_documents(corpus))
    sentences = [json.loads(line) for line in corpus.sentences.read_text().splitlines()]
    assert [one["text"] for one in sentences][:2] == ["IL-2 binds.", "NF-kappa B does not."]
    for one in sentences:
        assert documents[one["document_id"]][one["start"] : one["start"] + len(one["text"])] == one["text"]
    assert {one["document_id"] for one in sentences} == set(documents)


def test_windows_are_what_the_model_reads(tmp_path):
    corpus = write_corpus(source(tmp_path), tmp_path / "corpus")
    model = ModelFiles.from_pretrained(save_model(tmp_path / "model", TINY))
    windows = model_windows(corpus, model)
    first, last = ((tmp_path / "model" / "vocab.txt").read_text().split("\n").index(one) for one in ("[CLS]", "[SEP]"))
    assert len(windows) == len(corpus.sentences.read_text().splitlines())
    assert all((window[0], window[-1]) == (first, last) for window in windows)
    assert np.mean([len(window) for window in windows]) > 5
