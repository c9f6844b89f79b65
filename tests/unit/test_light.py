import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.model_files import EMBEDDED_MODEL, ModelError, ModelFiles
from actors.onnx_session import OnnxSession
from pipelines.light import LightPipeline
from pipelines.stages.ner_converter import NerConverter
from pipelines.stages.sentence_detector import SentenceDetector
from tests.integration.tiny_model import WORDS, save_model

TEXT = "IL-2 mRNA in Jurkat cells. NF-kappa B binds DNA."


@pytest.fixture(scope="module")
def pipeline():
    return LightPipeline.from_pretrained()


@pytest.fixture(scope="module")
def chunks(pipeline):
    return pipeline.annotate(TEXT)


def test_the_chunks_of_a_text(chunks):
    assert [*chunks[0]] == ["sentence_id", "chunk_id", "start", "end", "text", "entity", "score"]
    assert [chunk["chunk_id"] for chunk in chunks] == list(range(len(chunks)))
    assert ("Jurkat cells", "cell_line", 0) in [(c["text"], c["entity"], c["sentence_id"]) for c in chunks]
    assert {chunk["sentence_id"] for chunk in chunks} == {0, 1}
    assert all(TEXT[chunk["start"] : chunk["end"]] == chunk["text"] and 0 < chunk["score"] <= 1 for chunk in chunks)


def test_a_models_own_threshold_holds_but_in_the_ways_of_another_program(embedded_model, chunks):
    least = max(chunk["score"] for chunk in chunks)
    strict = replace(embedded_model, threshold=least)
    assert LightPipeline(strict).annotate(TEXT) == [
        {**chunk, "chunk_id": 0} for chunk in chunks if chunk["score"] == least
    ]
    assert len(LightPipeline(strict, compat="sparknlp").annotate(TEXT)) > 1


def test_a_list_of_texts_keeps_its_order(pipeline, chunks):
    assert pipeline.annotate([TEXT]) == [chunks]
    assert pipeline.annotate((None, TEXT, "", "p53 binds DNA.", " \n", TEXT)) == [
        [],
        chunks,
        [],
        pipeline.annotate("p53 binds DNA."),
        [],
        chunks,
    ]


def test_nothing_to_tag(pipeline):
    assert pipeline.annotate([]) == []
    assert pipeline.annotate("") == []
    assert pipeline.annotate([None]) == [[]]


@pytest.mark.parametrize("bad", ["IL-2 \ud800 gene", b"IL-2", 7])
def test_what_cannot_be_tagged_is_named_by_its_number(bad, pipeline):
    with pytest.raises(ValueError, match=r"^text 2: `text` is"):
        pipeline.annotate(["IL-2", bad, None])
    with pytest.raises(ValueError, match=r"^text 1: "):
        pipeline.annotate([bad])


def test_a_long_text(model_folder):
    pipeline = LightPipeline.from_pretrained(model_folder())  # a tiny model: the windows are what is tested
    text = "the IL-2 gene " * 7_000
    chunks = pipeline.annotate(text)
    assert chunks
    assert chunks[-1]["end"] > len(text) - 20
    assert all(text[chunk["start"] : chunk["end"]] == chunk["text"] for chunk in chunks)


def test_a_model_that_takes_less_than_it_says_fails_in_one_line_where_a_window_is_long(model_folder):
    pipeline = LightPipeline.from_pretrained(model_folder(positions=15))  # its settings say 16
    assert pipeline.annotate("the IL-2 gene") is not None
    for texts in (["the IL-2 gene " * 7], ["the IL-2 gene", "the IL-2 gene " * 7]):
        with pytest.raises(ModelError, match=r"trial run on 16 word pieces[^\n]*model_max_length"):
            pipeline.annotate(texts)


BIOMEDICAL = st.sampled_from(["IL-2", "Jurkat", "cells", "NF-κB", "gene", "p53", "𝛼", "e\u0301", "😀", "ﷺ", "İ"])
TEXTS = st.lists(
    st.one_of(BIOMEDICAL, st.sampled_from([" ", ". ", "\n", "\u00a0", "\x00", "-", "/"]), st.text(max_size=5)),
    max_size=20,
).map("".join)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(TEXTS, max_size=3))
def test_offsets_are_exact_in_any_text(texts, pipeline):
    for text, chunks in zip(texts, pipeline.annotate(texts), strict=True):
        reached = 0
        for chunk in chunks:
            assert reached <= chunk["start"] < chunk["end"] <= len(text)
            assert text[chunk["start"] : chunk["end"]] == chunk["text"] == chunk["text"].strip() != ""
            reached = chunk["end"]


def test_options(chunks):
    model = ModelFiles.from_pretrained(EMBEDDED_MODEL)
    only = LightPipeline(model, ner_converter=NerConverter(labels=model.labels, white_list=frozenset({"cell_line"})))
    assert [c["text"] for c in only.annotate(TEXT)] == [c["text"] for c in chunks if c["entity"] == "cell_line"]
    whole = LightPipeline.from_pretrained(str(EMBEDDED_MODEL), sentence_detector=SentenceDetector(strategy="none"))
    assert {chunk["sentence_id"] for chunk in whole.annotate(TEXT)} == {0}


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match="no such model folder"):
        LightPipeline.from_pretrained(tmp_path / "nothing")
    with pytest.raises(ModelError, match="device 'tpu'"):
        LightPipeline.from_pretrained(device="tpu")


def test_ray_is_not_imported():
    program = "import sys, pipelines.light; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


RAISING = "the IL2 gene raising it"


@pytest.fixture
def raising_model(tmp_path):
    """A model that ONNX Runtime itself refuses to run on one word."""
    return save_model(tmp_path / "model", raising=WORDS.index("raising"))


def test_a_text_that_the_model_raises_on_is_named_by_its_number(raising_model):
    pipeline = LightPipeline.from_pretrained(raising_model)
    with pytest.raises(ValueError, match=r"^text 3: TokenClassifier failed: .*Integer division by zero"):
        pipeline.annotate(["the IL2 gene", "it binds", RAISING, "it"])
    assert pipeline.annotate("the IL2 gene binds it")


def test_a_model_that_fails_whatever_the_text_is_to_blame(raising_model, monkeypatch):
    pipeline = LightPipeline.from_pretrained(raising_model)

    def lost(*_):
        raise RuntimeError("the device is lost")

    monkeypatch.setattr(OnnxSession, "infer", lost)
    with pytest.raises(ModelError, match="the device is lost"):
        pipeline.annotate("the IL2 gene")


def test_the_command_says_it_in_one_line(raising_model, cytotag):
    code, out, err = cytotag("tag", "--model", raising_model, "--text", RAISING)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("cytotag: the text: text 1: TokenClassifier failed: ")
    assert "Integer division by zero" in err
