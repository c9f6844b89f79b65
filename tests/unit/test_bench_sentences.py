"""What rivals read and find, without any rival."""

import json

import pytest

from benchmarks.measurement import ChunkRow
from benchmarks.rivals.sentences import chunk_rows, documents_of, read_sentences

ROWS = [
    {"document_id": "a", "start": 0, "text": "IL-2 binds."},
    {"document_id": "a", "start": 12, "text": "T cells β."},
    {"document_id": "b", "start": 3, "text": "None."},
]


@pytest.fixture
def sentences(tmp_path):
    path = tmp_path / "sentences.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return read_sentences(path)


def test_sentences_are_read_in_order(sentences):
    assert [sentence._asdict() for sentence in sentences] == ROWS
    assert documents_of(sentences) == 2


def test_offsets_are_those_of_the_document(sentences):
    found = [
        [{"entity_group": "protein", "start": 0, "end": 4, "score": 0.5, "word": "il - 2"}],
        [{"entity_group": "cell_type", "start": 0, "end": 7}, {"entity_group": "DNA", "start": 8, "end": 9}],
        [],
    ]
    assert list(chunk_rows(sentences, found)) == [
        ChunkRow("a", 0, 4, "protein"),
        ChunkRow("a", 12, 19, "cell_type"),
        ChunkRow("a", 20, 21, "DNA"),
    ]


def test_a_sentence_without_an_answer_is_an_error(sentences):
    with pytest.raises(ValueError, match="shorter"):
        list(chunk_rows(sentences, [[], []]))
