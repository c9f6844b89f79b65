import itertools
import random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

import actors.token_classifier
from actors.model_files import ModelError, ModelFiles
from actors.onnx_session import OnnxSession
from actors.token_classifier import TRIAL_LENGTH, TokenClassifier
from pipelines.schema import SENTENCE, TAG, TOKEN
from pipelines.stages.tokenizer import Tokenizer

SENTENCES = [
    "IL-2 gene expression and NF-kappa B activation through CD28 requires reactive oxygen production.",
    "The human T-cell line Jurkat was transfected with c-fos mRNA.",
    "p53 binds DNA.",
    "Glucocorticoid receptors (GR) in human lymphocytes of the peripheral blood were measured.",
    "p65 binds RNA.",
    "α-Actinin 😀 细胞",
    "In Jurkat cells, TNF-alpha induces NF-kappa B. " * 2,  # longer than a window of 32
]


@pytest.fixture(scope="module")
def classifier(embedded_model):
    return TokenClassifier(embedded_model)


@pytest.fixture(scope="module")
def documents(embedded_model, sentence_table):
    """TOKEN: documents of zero to three sentences, with windows of at most 32 pieces."""
    source = random.Random(3)  # noqa: S311  # no secret
    texts = []
    for number in range(8):
        chosen = source.choices(SENTENCES, k=number % 4)
        ends = np.cumsum([len(sentence) + 1 for sentence in chosen]).tolist()
        spans = [(end - 1 - len(sentence), end - 1) for sentence, end in zip(chosen, ends, strict=True)]
        texts.append((" ".join(chosen) or None, spans))
    return Tokenizer(folder=embedded_model.folder, max_length=32).transform(sentence_table(texts))


@pytest.fixture(scope="module")
def tagged(classifier, documents):
    return classifier(documents)


def tags_of(outputs):
    """Tag ids and scores of a batch; of logits, the most probable label and its softmax probability."""
    if len(outputs) == 2:
        return outputs
    logits = outputs[0].astype(np.float64)
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return logits.argmax(axis=-1), (exponentials / exponentials.sum(axis=-1, keepdims=True)).max(axis=-1)


def naive(session, documents):
    """The tags of each document, a window and a word at a time."""
    result = []
    for row in documents.to_pylist():
        windows = [tags_of(session.infer(np.array([window], dtype=np.int64))) for window in row["windows"]]
        tags = []
        for token in row["tokens"]:
            tag_ids, scores = windows[token["window_id"]]
            tags.append((int(tag_ids[0, token["piece"]]), float(scores[0, token["piece"]])))
        result.append(tags)
    return result


# --- what it computes


def test_equals_a_naive_loop_over_windows_and_words(classifier, documents, tagged):
    expected = naive(classifier._session, documents)
    found = [[(token["tag_id"], token["score"]) for token in row] for row in tagged["tokens"].to_pylist()]
    assert [[tag for tag, _ in row] for row in found] == [[tag for tag, _ in row] for row in expected]
    assert len({tag for row in found for tag, _ in row}) > 3
    for row, expected_row in zip(found, expected, strict=True):
        np.testing.assert_allclose([s for _, s in row], [s for _, s in expected_row], atol=1e-6)


def test_tags_take_the_place_of_the_models_inputs(documents, tagged):
    assert tagged.schema == TAG
    tagged.validate(full=True)
    assert tagged.select(SENTENCE.names).equals(documents.select(SENTENCE.names))
    for tokens, tags in zip(documents["tokens"].to_pylist(), tagged["tokens"].to_pylist(), strict=True):
        places = ("sentence_id", "start", "end")
        assert [[token[p] for p in places] for token in tokens] == [[tag[p] for p in places] for tag in tags]


def test_finds_entities(embedded_model, classifier, sentence_table):
    text = "IL-2 mRNA in Jurkat cells"
    table = Tokenizer(folder=embedded_model.folder, max_length=64).transform(sentence_table([(text, [(0, len(text))])]))
    tags = [embedded_model.labels[token["tag_id"]] for token in classifier(table)["tokens"][0].as_py()]
    assert tags[3:] == ["I-RNA", "O", "B-cell_line", "I-cell_line"]


# --- the same bits, whatever is in the batch


def same(one, other):
    """Whether two tables are equal in all but the time that the model took."""
    timeless = [
        table.set_column(
            table.schema.get_field_index("model_use"),
            "model_use",
            pc.struct_field(table["model_use"], ["pieces"]),
        )
        for table in (one, other)
    ]
    return timeless[0].combine_chunks().equals(timeless[1].combine_chunks())


def test_what_a_document_took(documents, tagged):
    windows = documents["windows"].to_pylist()
    for found, given_windows in zip(tagged["model_use"].to_pylist(), windows, strict=True):
        if given_windows:
            assert (found["windows"], found["pieces"]) == (len(given_windows), sum(map(len, given_windows)))
            assert found["padding"] == 0
            assert found["seconds"] > 0
        else:
            assert found is None


def test_documents_one_by_one_and_in_chunks(classifier, documents, tagged):
    alone = [classifier(documents.slice(row, 1)) for row in range(len(documents))]
    assert same(pa.concat_tables(alone), tagged)
    assert same(classifier(pa.concat_tables([documents.slice(0, 3), documents.slice(3)])), tagged)


def test_documents_in_another_order(classifier, documents, tagged):
    order = pa.array(np.random.default_rng(5).permutation(len(documents)))
    assert same(classifier(documents.take(order)), tagged.take(order))


@pytest.mark.parametrize("budget", [1, 70, 100_000])
def test_any_token_budget(budget, monkeypatch, classifier, documents, tagged):
    monkeypatch.setattr(actors.token_classifier, "TOKEN_BUDGET", budget)
    assert same(classifier(documents), tagged)


@pytest.mark.parametrize("threads", [2])
def test_any_number_of_threads(threads, embedded_model, documents, tagged):
    assert same(TokenClassifier(embedded_model, threads=threads)(documents), tagged)


@settings(max_examples=6, deadline=None)
@given(cuts=st.sets(st.integers(1, 7), max_size=3))
def test_any_split_into_batches(cuts, classifier, documents, tagged):
    bounds = [0, *sorted(cuts), 8]
    parts = [documents.slice(start, end - start) for start, end in itertools.pairwise(bounds)]
    assert same(pa.concat_tables([classifier(part) for part in parts]), tagged)


# --- tables


def test_no_rows_and_rows_without_words(classifier, documents):
    for table in (TOKEN.empty_table(), documents.slice(0, 0), documents.slice(0, 1), documents.slice(4, 1)):
        result = classifier(table)
        assert result.schema == TAG
        assert result["tokens"].to_pylist() == [[]] * len(table)


def test_the_input_is_unchanged(classifier, documents):
    before = documents.to_pylist()
    classifier(documents)
    assert documents.to_pylist() == before


# --- models of all sorts


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"inputs": ("input_ids",)},
        {"output_type": TensorProto.FLOAT16},
        {"labels": 300},
        {"labels": 1},
        {"positions": 16},
        {"outputs": ("scores",)},
    ],
)
def test_models_of_all_sorts(options, model_folder, sentence_table):
    model = ModelFiles.from_pretrained(model_folder(**options))
    text = "the IL-2 genes, a a IL-2 ... unknown aa " * 3
    table = Tokenizer(folder=model.folder, max_length=model.max_length).transform(
        sentence_table([(text, [(0, len(text))]), ("a", [(0, 1)])])
    )
    result = TokenClassifier(model)(table)
    assert result.schema == TAG
    found = [[token["tag_id"] for token in row] for row in result["tokens"].to_pylist()]
    assert found == [[tag for tag, _ in row] for row in naive(OnnxSession(model.graph), table)]


@pytest.mark.parametrize("options", [{}, {"labels": 300}, {"inputs": ("input_ids",)}])
def test_a_model_that_gives_tags_gives_those_of_its_logits(options, model_folder, sentence_table):
    text = "the IL-2 genes, a a IL-2 ... unknown aa " * 3
    found = []
    for outputs in (("logits",), ("tag_ids", "scores")):
        model = ModelFiles.from_pretrained(model_folder(**options, outputs=outputs))
        tokens = Tokenizer(folder=model.folder, max_length=model.max_length).transform(
            sentence_table([(text, [(0, len(text))]), ("a", [(0, 1)])])
        )
        found.append(TokenClassifier(model)(tokens)["tokens"].combine_chunks().flatten())
    assert len(found[0].field("tag_id").unique()) > 1
    assert found[1].field("tag_id").equals(found[0].field("tag_id"))
    np.testing.assert_allclose(found[1].field("score"), found[0].field("score"), atol=1e-6)


@pytest.mark.parametrize(
    ("config", "graph", "parts"),
    [
        ({"id2label": {"0": "O"}}, {}, ["model.onnx gives 3 labels", "config.json names 1", "same model"]),
        (None, {"vocabulary": 14}, ["trial run on 16 word pieces of id 14", "idx=14", "the same model"]),
        (None, {"positions": 15}, ["trial run on 16 word pieces", "model_max_length"]),
        (None, {"pooled": True}, ["shape (1, 3)", "(batch, pieces, labels)"]),
        (None, {"outputs": ("tag_ids", "scores"), "pooled": True}, ["tag_ids is of shape (1,)", "(batch, pieces)"]),
        (
            None,
            {"outputs": ("tag_ids", "scores"), "metadata": {"label_count": "12"}},
            ["model.onnx gives 12 labels", "config.json names 3"],
        ),
    ],
)
def test_a_model_that_is_not_one_with_its_tokenizer_and_settings(config, graph, parts, model_folder, capfd):
    model = ModelFiles.from_pretrained(model_folder(config, **graph))
    with pytest.raises(ModelError) as caught:
        TokenClassifier(model)
    message = str(caught.value)
    assert model.folder in message
    assert "\n" not in message
    assert all(part in message for part in parts), message
    assert capfd.readouterr() == ("", "")


def test_the_trial_run_of_a_model_for_very_long_inputs_is_short(model_folder):
    model = ModelFiles.from_pretrained(model_folder({"max_position_embeddings": 8192}, positions=TRIAL_LENGTH))
    TokenClassifier(model)
