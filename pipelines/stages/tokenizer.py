"""Tokenizer: words with exact offsets, and the word pieces that the model reads, in windows that lose nothing."""

import functools
import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import tokenizers

from pipelines.isolation import isolate_documents
from pipelines.nested_lists import Int, flatten, nest, owners, positions, structs, to_offsets
from pipelines.schema import TOKEN

WHITE_SPACE = np.array([code for code in range(0x3001) if chr(code).isspace()], dtype=np.uint32)


def window_starts(piece_count: int, size: int, overlap: int) -> Int:
    """Where the windows over a sentence of `piece_count` pieces begin: each but the last `size - overlap` further on.

    The last one ends with the sentence, so that all windows of a sentence too long for one are exactly `size` long.
    """
    last = max(piece_count - size, 0)
    return np.append(np.arange(0, last, size - overlap), last)


def widest_context(pieces: Int, starts: Int, size: int) -> Int:
    """The window, of those that begin at `starts`, in which each piece has most context on its poorer side.

    Windows being equally long, that is the one whose middle is nearest; of two as near, the first. The rule is that
    of BERT's reading comprehension code (Devlin et al. 2019, `run_squad.py`, "max context").
    """
    middles = starts + (size - 1) / 2
    return np.searchsorted((middles[1:] + middles[:-1]) / 2, pieces, side="left")


@functools.cache
def load_tokenizer(folder: str) -> tokenizers.Tokenizer:
    """The tokenizer of a model folder, with no padding and no truncation; one load a process.

    Raises:
        FileNotFoundError: The folder has neither `tokenizer.json` nor `vocab.txt`.
    """
    path = Path(folder)
    if (path / "tokenizer.json").exists():
        tokenizer = tokenizers.Tokenizer.from_file(str(path / "tokenizer.json"))
    elif (path / "vocab.txt").exists():
        config = path / "tokenizer_config.json"
        settings = json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}
        tokenizer = tokenizers.BertWordPieceTokenizer(
            tokenizers.models.WordPiece.read_file(str(path / "vocab.txt")),
            lowercase=settings.get("do_lower_case", True),
            strip_accents=settings.get("strip_accents"),
            handle_chinese_chars=settings.get("tokenize_chinese_chars", True),
        )._tokenizer
    else:
        raise FileNotFoundError(f"{folder}: no tokenizer.json and no vocab.txt; the model needs one of them")
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True  # "[SEP]" in a text is text
    return tokenizer


@functools.cache
def special_pieces(folder: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The ids that the model wants before and after a sentence, such as [CLS] and [SEP].

    Raises:
        FileNotFoundError: See `load_tokenizer`.
        ValueError: The tokenizer has no piece for the letter a, not even one for what it does not know.
    """
    encoding = load_tokenizer(folder).encode("a")
    special = encoding.special_tokens_mask
    if all(special):
        raise ValueError(f"{folder}: the tokenizer has no piece for the letter a, so it is not one for English text")
    before = list(itertools.takewhile(lambda pair: pair[1], zip(encoding.ids, special, strict=True)))
    after = list(itertools.takewhile(lambda pair: pair[1], zip(reversed(encoding.ids), reversed(special), strict=True)))
    return tuple(piece for piece, _ in before), tuple(piece for piece, _ in reversed(after))


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    """SENTENCE to TOKEN.

    A word is what the tokenizer of the model takes for one: for BERT a run of letters and digits, or one punctuation
    mark. All its pieces are read by the model and the first one gives its tag, as in BERT (Devlin et al. 2019,
    section 5.3). Spark NLP's BertForTokenClassification feeds the first fragment of a word alone ("IL-2" as "IL")
    and cuts what is over its limit; here a sentence with more pieces than the model takes is read in windows.

    Attributes:
        folder: The model folder, which has the tokenizer's file. Workers load it from there.
        max_length: The most pieces the model takes at once, special tokens included.
    """

    folder: str
    max_length: int

    def __post_init__(self) -> None:
        if self.max_length < 8:
            raise ValueError(f"max_length {self.max_length}: a window needs room for 8 pieces or more")

    def transform(self, table: pa.Table) -> pa.Table:
        """Adds `windows` and `tokens`.

        Raises:
            FileNotFoundError: This machine has no tokenizer in `folder`; no document is blamed for that.
        """
        special_pieces(self.folder)
        return self._transform(table)

    @isolate_documents
    def _transform(self, table: pa.Table) -> pa.Table:
        sentence_counts, spans = flatten(table["sentences"])
        sentence_start = spans.field("start").to_numpy()
        sentence_end = spans.field("end").to_numpy()
        texts = table["text"].to_pylist()
        rows = owners(sentence_counts)
        sentences = [
            texts[row][start:end]
            for row, start, end in zip(rows.tolist(), sentence_start.tolist(), sentence_end.tolist(), strict=True)
        ]
        pieces = _encode(self.folder, sentences)
        words = _words(pieces, sentences)

        before, after = special_pieces(self.folder)
        windows = _Windows.over(pieces.counts, self.max_length - len(before) - len(after))
        window_counts = np.bincount(rows[windows.sentence], minlength=table.num_rows)
        word_row = rows[words.sentence]
        word_window = windows.of_words(words)
        tokens = structs(
            TOKEN.field("tokens").type.value_type,
            {
                "sentence_id": positions(sentence_counts)[words.sentence],
                "start": sentence_start[words.sentence] + words.start,
                "end": sentence_start[words.sentence] + words.end,
                "window_id": word_window - to_offsets(window_counts)[word_row],
                "piece": words.piece - windows.first_piece[word_window] + len(before),
            },
        )
        lengths, ids = _with_special_pieces(pieces.ids, windows, before, after)
        window_type = TOKEN.field("windows").type
        window_ids = nest(lengths, pa.array(ids), window_type.value_type)
        return table.append_column(TOKEN.field("windows"), nest(window_counts, window_ids, window_type)).append_column(
            TOKEN.field("tokens"),
            nest(np.bincount(word_row, minlength=table.num_rows), tokens, TOKEN.field("tokens").type),
        )


@dataclass(frozen=True, kw_only=True)
class _Pieces:
    """The word pieces of all sentences of a batch, end to end, and how many each sentence has."""

    counts: Int
    ids: Int
    word: Int  # number of the piece's word in its sentence
    start: Int  # code points, from the start of its sentence
    end: Int


@dataclass(frozen=True, kw_only=True)
class _Words:
    """The words of all sentences of a batch: their sentence, their span in it, and their first piece."""

    sentence: Int
    start: Int
    end: Int
    piece: Int


@dataclass(frozen=True, kw_only=True)
class _Windows:
    """What the model reads at once: `length` pieces of one sentence from `first_piece` on."""

    sentence: Int
    first_piece: Int
    length: Int
    first_window: Int  # of each sentence
    cut: dict[int, Int]  # sentence with more than one window: where its windows start, from its own first piece

    @classmethod
    def over(cls, piece_counts: Int, size: int) -> "_Windows":
        cut = {
            int(i): window_starts(int(piece_counts[i]), size, size // 4) for i in np.flatnonzero(piece_counts > size)
        }
        counts = (piece_counts > 0).astype(np.int64)
        for i, starts in cut.items():
            counts[i] = len(starts)
        sentence, first_window = owners(counts), to_offsets(counts)
        first_piece = to_offsets(piece_counts)[sentence]
        for i, starts in cut.items():
            first_piece[first_window[i] : first_window[i + 1]] += starts
        return cls(
            sentence=sentence,
            first_piece=first_piece,
            length=np.minimum(piece_counts[sentence], size),
            first_window=first_window[:-1],
            cut=cut,
        )

    def of_words(self, words: _Words) -> Int:
        """The window that each word takes its tag from."""
        window = self.first_window[words.sentence]
        for sentence, starts in self.cut.items():
            first, stop = np.searchsorted(words.sentence, [sentence, sentence + 1])
            at = self.first_window[sentence]
            size = int(self.length[at])
            pieces = words.piece[first:stop] - self.first_piece[at]
            window[first:stop] += widest_context(pieces, starts, size)
        return window


def _encode(folder: str, sentences: list[str]) -> _Pieces:
    encodings = load_tokenizer(folder).encode_batch(sentences, add_special_tokens=False)
    counts = np.fromiter((len(encoding) for encoding in encodings), np.int64, len(encodings))
    total = int(counts.sum())
    chain = itertools.chain.from_iterable
    offsets = np.fromiter(chain(chain(e.offsets for e in encodings)), np.int64, 2 * total)
    return _Pieces(
        counts=counts,
        ids=np.fromiter(chain(e.ids for e in encodings), np.int32, total),
        word=np.fromiter(chain(e.word_ids for e in encodings), np.int64, total),
        start=offsets[0::2],
        end=offsets[1::2],
    )


def _words(pieces: _Pieces, sentences: list[str]) -> _Words:
    """Words from pieces: in order, apart from each other, none empty, none with white space at an end.

    Some tokenizers count the white space before a word to it, or take a run of white space for a word. And some
    normalize one character into several words (NFKC: U+FDFA into four); the first of them has the character.
    """
    sentence = owners(pieces.counts)
    first = np.ones(len(sentence), dtype=bool)
    first[1:] = (np.diff(sentence) != 0) | (np.diff(pieces.word) != 0)
    piece = np.flatnonzero(first)
    last = np.append(piece, len(sentence))[1:] - 1
    origin = to_offsets(np.fromiter(map(len, sentences), np.int64, len(sentences)))[sentence[piece]]
    start, end = origin + pieces.start[piece], origin + pieces.end[last]  # in all the sentences end to end
    start[1:] = np.maximum(start[1:], np.maximum.accumulate(end)[:-1])
    codes = np.frombuffer("".join(sentences).encode("utf-32-le"), dtype=np.uint32)
    solid = np.flatnonzero(~np.isin(codes, WHITE_SPACE))
    first_solid, last_solid = np.searchsorted(solid, start), np.searchsorted(solid, end) - 1
    some = first_solid <= last_solid
    return _Words(
        sentence=sentence[piece][some],
        start=(solid[first_solid[some]] - origin[some]),
        end=(solid[last_solid[some]] + 1 - origin[some]),
        piece=piece[some],
    )


def _with_special_pieces(
    ids: Int, windows: _Windows, before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[Int, Int]:
    """The length of each window and the ids of all windows end to end, special tokens around each."""
    lengths = windows.length + len(before) + len(after)
    bounds = to_offsets(lengths)
    out = np.empty(bounds[-1], dtype=np.int32)
    inside = positions(windows.length)
    out[np.repeat(bounds[:-1] + len(before), windows.length) + inside] = ids[
        np.repeat(windows.first_piece, windows.length) + inside
    ]
    for i, piece in enumerate(before):
        out[bounds[:-1] + i] = piece
    for i, piece in enumerate(reversed(after), start=1):
        out[bounds[1:] - i] = piece
    return lengths, out
