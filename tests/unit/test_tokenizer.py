import itertools
import json
import pickle
import time

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

import pipelines.stages.tokenizer as tokenizer_module
from pipelines.schema import SENTENCE, TOKEN
from pipelines.stages.tokenizer import Tokenizer, load_tokenizer, special_pieces, widest_context, window_starts

FAMILIES = ("wordpiece", "byte-level", "metaspace")
EDGES = [
    "IL-2 gene expression and NF-kappa B activation in T cells.",
    "cafe\u0301 Sjo\u0308gren \u0301x e\u0301\u0302",
    "𝛼-actin 😀😀 β-catenin 👩‍👩‍👧",
    "细胞因子 IL-2 表达",
    "خلية IL-2 ‏עברית‎",
    "a\x00b\x01 c\x1cd \x1c\x7f",
    "\ufffd x\ufffd \ufffdy",
    "\u00a0IL-2\u00a0\u2009\u202fgene\u3000",
    "x" * 10_000,
    "...!!!(){}[]/|\\",
    "[SEP] [CLS] [MASK][PAD] <s> </s> <mask>",
    "a\tb|c/d\r\ne",
    "ﷺ a…b ½ ¨x ﬁ ǅ 각 İx",
    "a" + " " * 300 + "b",
    "a\u200bb \u200b c\u00ad \ufeffd",
    "the the the",
    "\u200b",
]


def whole(texts):
    """Each text as one sentence."""
    return [(text, [(0, len(text))] if text else []) for text in texts]


def stripped(text, start, end):
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def naive(folder, max_length, documents):
    """What `transform` must find, a document, a sentence and a word at a time."""
    tokenizer = load_tokenizer(folder)
    before, after = map(list, special_pieces(folder))
    size = max_length - len(before) - len(after)
    result = []
    for text, spans in documents:
        windows, tokens = [], []
        for sentence_id, (sentence_start, sentence_end) in enumerate(spans):
            sentence = text[sentence_start:sentence_end]
            encoding = tokenizer.encode(sentence, add_special_tokens=False)
            starts = [int(s) for s in window_starts(len(encoding.ids), size, size // 4)] if encoding.ids else []
            reached = 0
            for word_id in dict.fromkeys(encoding.word_ids):
                pieces = [i for i, other in enumerate(encoding.word_ids) if other == word_id]
                end = encoding.offsets[pieces[-1]][1]
                start, end_of_word = stripped(sentence, max(encoding.offsets[pieces[0]][0], reached), end)
                reached = max(reached, end)
                if start >= end_of_word:
                    continue
                contexts = [min(pieces[0] - s, s + size - 1 - pieces[0]) for s in starts]
                window = contexts.index(max(contexts))
                tokens.append(
                    {
                        "sentence_id": sentence_id,
                        "start": sentence_start + start,
                        "end": sentence_start + end_of_word,
                        "window_id": len(windows) + window,
                        "piece": pieces[0] - starts[window] + len(before),
                    }
                )
            windows += [before + encoding.ids[s : s + size] + after for s in starts]
        result.append({"windows": windows, "tokens": tokens})
    return result


def check(folder, max_length, documents, sentence_table):
    table = Tokenizer(folder=folder, max_length=max_length).transform(sentence_table(documents))
    assert table.schema == TOKEN
    table.validate(full=True)
    assert table.select(["windows", "tokens"]).to_pylist() == naive(folder, max_length, documents)
    for (text, spans), tokens in zip(documents, table["tokens"].to_pylist(), strict=True):
        reached = 0
        for token in tokens:
            sentence_start, sentence_end = spans[token["sentence_id"]]
            assert max(reached, sentence_start) <= token["start"] < token["end"] <= sentence_end
            word = text[token["start"] : token["end"]]
            assert word == word.strip() != ""
            reached = token["end"]
    return table


# --- words and their offsets


@pytest.mark.parametrize("max_length", [8, 512])
@pytest.mark.parametrize("family", FAMILIES)
def test_edge_inputs_as_a_naive_loop_reads_them(family, max_length, tokenizer_folders, sentence_table):
    check(tokenizer_folders[family], max_length, whole(EDGES), sentence_table)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_text_in_any_sentences(family, data, tokenizer_folders, sentence_table):
    alphabet = st.one_of(
        st.sampled_from(list("abIL2-. \n\t\u00a0\u2009\u0301ﷺ½¨細😀𝛼[]\x00\ufffd")), st.characters(codec="utf-8")
    )
    documents = []
    for text in data.draw(st.lists(st.text(alphabet, max_size=40), max_size=4)):
        cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=6)))
        pairs = itertools.pairwise(cuts)
        documents.append((text, [pair for pair in pairs if data.draw(st.booleans())]))
    check(tokenizer_folders[family], data.draw(st.sampled_from([8, 9, 11, 64])), documents, sentence_table)


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("wordpiece", ["IL", "-", "2", "gene"]),
        ("byte-level", ["IL", "-", "2", "gene"]),
        ("metaspace", ["IL-2", "gene"]),
    ],
)
def test_a_word_is_what_the_models_tokenizer_takes_for_one(family, words, tokenizer_folders, sentence_table):
    text = " IL-2  gene\u00a0"
    table = check(tokenizer_folders[family], 512, whole([text]), sentence_table)
    assert [text[token["start"] : token["end"]] for token in table["tokens"][0].as_py()] == words


def test_special_tokens_in_a_text_are_text(embedded_model, sentence_table):
    table = check(embedded_model.folder, 512, whole(["IL-2 [SEP] [CLS] [MASK] [PAD]"]), sentence_table)
    [window] = table["windows"][0].as_py()
    assert (window[0], window[-1]) == (101, 102)
    assert not {0, 100, 101, 102, 103} & set(window[1:-1])


def test_added_tokens_are_words(tmp_path, tokenizer_folders, sentence_table):
    tokenizer = tokenizers.Tokenizer.from_file(tokenizer_folders["wordpiece"] + "/tokenizer.json")
    tokenizer.add_tokens(["IL-2R"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    text = "the IL-2R gene"
    table = check(str(tmp_path), 512, whole([text]), sentence_table)
    assert [text[token["start"] : token["end"]] for token in table["tokens"][0].as_py()] == text.split()


@pytest.mark.parametrize("family", FAMILIES)
def test_special_tokens_surround_every_window(family, tokenizer_folders, sentence_table):
    before, after = special_pieces(tokenizer_folders[family])
    assert (before, after) == (((101,), (102,)) if family == "wordpiece" else ((0,), (2,)))
    table = check(tokenizer_folders[family], 8, whole(["the IL-2 gene is expressed in T cells"]), sentence_table)
    windows = table["windows"][0].as_py()
    assert len(windows) > 1
    assert all((window[0], window[-1]) == (*before, *after) for window in windows)


def test_a_long_run_of_white_space_takes_no_longer_than_its_length(tokenizer_folders, sentence_table):
    text = "a" + " " * 40_000 + "b " + "c d " * 25_000
    began = time.process_time()
    Tokenizer(folder=tokenizer_folders["byte-level"], max_length=512).transform(sentence_table(whole([text])))
    assert time.process_time() - began < 10  # one pass over all words for each blank takes a minute


# --- windows


@settings(max_examples=200, deadline=None)
@given(pieces=st.integers(1, 400), size=st.integers(4, 60), data=st.data())
def test_windows_lose_nothing(pieces, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    starts = window_starts(pieces, size, overlap)
    ends = np.minimum(starts + size, pieces)
    assert (starts[0], ends[-1]) == (0, pieces)
    assert (np.diff(starts) > 0).all()
    assert (starts[1:] <= ends[:-1] - overlap).all()  # neighbours overlap by that much at least
    assert len(starts) == 1 or ((ends - starts) == size).all()
    assert (len(starts) == 1) == (pieces <= size)


@settings(max_examples=100, deadline=None)
@given(pieces=st.integers(1, 300), size=st.integers(4, 60))
def test_a_piece_is_read_where_it_has_most_context(pieces, size):
    starts = window_starts(pieces, size, size // 4)
    chosen = widest_context(np.arange(pieces), starts, size)
    for piece, window in enumerate(chosen.tolist()):
        contexts = [min(piece - s, s + size - 1 - piece) for s in starts.tolist()]
        assert contexts[window] >= 0 or len(starts) == 1
        assert window == contexts.index(max(contexts))


def test_a_sentence_of_five_thousand_words_is_cut_into_windows(embedded_model, sentence_table):
    text = "IL-2 gene expression " * 1_667
    table = Tokenizer(folder=embedded_model.folder, max_length=512).transform(sentence_table(whole([text])))
    windows, tokens = table["windows"][0].as_py(), table["tokens"][0].as_py()
    assert {len(window) for window in windows} == {512}
    assert len(tokens) == 1_667 * 5
    context = [min(token["piece"] - 1, 510 - token["piece"]) for token in tokens[128:-128]]
    assert min(context) >= 510 // 8 - 1  # half of the overlap


@pytest.mark.parametrize(("size", "windows"), [(8 - 2, 1), (8 - 1, 2)])
def test_the_last_piece_that_fits_and_the_first_that_does_not(size, windows, embedded_model, sentence_table):
    table = check(embedded_model.folder, 8, whole([" ".join(["gene"] * size)]), sentence_table)
    assert len(table["windows"][0].as_py()) == windows


def test_max_length_too_small():
    with pytest.raises(ValueError, match="max_length 7: "):
        Tokenizer(folder="unused", max_length=7)


# --- tables


def test_rows_without_text_stay_rows(embedded_model, sentence_table):
    table = sentence_table([(None, []), *whole(["IL-2", "", " "]), ("a. b.", [(0, 2), (3, 5)]), (None, [])])
    broken = table.set_column(
        table.schema.get_field_index("error"), SENTENCE.field("error"), pa.array(["line 1: bad", *[None] * 5])
    )
    result = Tokenizer(folder=embedded_model.folder, max_length=64).transform(broken)
    assert result.select(SENTENCE.names).equals(broken)
    assert [len(tokens) for tokens in result["tokens"].to_pylist()] == [0, 3, 0, 0, 4, 0]
    assert [len(windows) for windows in result["windows"].to_pylist()] == [0, 1, 0, 0, 2, 0]


def test_no_rows(embedded_model, sentence_table):
    tokenizer = Tokenizer(folder=embedded_model.folder, max_length=64)
    for table in (sentence_table([]), SENTENCE.empty_table(), sentence_table(whole(["a"])).slice(1)):
        result = tokenizer.transform(table)
        assert (result.schema, result.num_rows) == (TOKEN, 0)


def test_sliced_and_chunked_tables_and_the_input_unchanged(embedded_model, sentence_table):
    tokenizer = Tokenizer(folder=embedded_model.folder, max_length=16)
    table = sentence_table(
        [(text * 3, [(0, len(text)), (len(text), 3 * len(text))]) for text in EDGES if len(text) < 99]
    )
    before = table.to_pylist()
    result = tokenizer.transform(table)
    chunked = pa.concat_tables([table.slice(0, 3), table.slice(3, 0), table.slice(3, 1), table.slice(4)])
    assert tokenizer.transform(chunked).equals(result)
    assert tokenizer.transform(table.slice(2, 5)).equals(result.slice(2, 5))
    assert pa.concat_tables([tokenizer.transform(table.slice(i, 1)) for i in range(len(table))]).equals(result)
    assert table.to_pylist() == before


def test_a_document_that_the_tokenizer_fails_on_is_set_aside(monkeypatch, embedded_model, sentence_table):
    encode = tokenizer_module._encode

    def fail(folder, sentences):
        if any("bad" in sentence for sentence in sentences):
            raise RuntimeError("boom")
        return encode(folder, sentences)

    monkeypatch.setattr(tokenizer_module, "_encode", fail)
    tokenizer = Tokenizer(folder=embedded_model.folder, max_length=16)
    result = tokenizer.transform(sentence_table(whole(["IL-2", "a bad one", "gene"])))
    assert result.schema == TOKEN
    assert result["error"].to_pylist() == [None, "Tokenizer failed: RuntimeError: boom", None]
    assert [len(tokens) for tokens in result["tokens"].to_pylist()] == [3, 0, 1]


# --- the tokenizer's files


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"do_lower_case": True},
        {"do_lower_case": False},
        {"strip_accents": False},
        {"tokenize_chinese_chars": False},
    ],
)
def test_vocab_txt_alone_equals_tokenizer_json(config, tmp_path, embedded_model, sentence_table):
    folders = {name: tmp_path / name for name in ("text", "json")}
    for folder in folders.values():
        folder.mkdir()
    (folders["text"] / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer = tokenizers.Tokenizer.from_file(embedded_model.folder + "/tokenizer.json")
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda piece: piece[1])
    (folders["text"] / "vocab.txt").write_text("".join(f"{piece}\n" for piece, _ in pieces), encoding="utf-8")
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(
        lowercase=config.get("do_lower_case", True),
        strip_accents=config.get("strip_accents"),
        handle_chinese_chars=config.get("tokenize_chinese_chars", True),
    )
    tokenizer.save(str(folders["json"] / "tokenizer.json"))
    tables = [
        Tokenizer(folder=str(folder), max_length=32).transform(sentence_table(whole([*EDGES, "Ünïcode IL-2R"])))
        for folder in folders.values()
    ]
    assert tables[0].equals(tables[1])


def test_no_tokenizer_is_no_fault_of_a_document(tmp_path, sentence_table):
    with pytest.raises(FileNotFoundError, match=r"no tokenizer\.json and no vocab\.txt"):
        Tokenizer(folder=str(tmp_path), max_length=16).transform(sentence_table(whole(["IL-2"])))


def test_a_tokenizer_that_knows_no_letters(tmp_path):
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE({"<s>": 0, "</s>": 1, "A": 2}, []))
    tokenizer.post_processor = tokenizers.processors.BertProcessing(("</s>", 1), ("<s>", 0))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ValueError, match="no piece for the letter a"):
        special_pieces(str(tmp_path))


def test_pickles_small():
    tokenizer = Tokenizer(folder="/models/x", max_length=512)
    assert pickle.loads(pickle.dumps(tokenizer)) == tokenizer  # noqa: S301  # our own bytes
    assert len(pickle.dumps(tokenizer)) < 300
