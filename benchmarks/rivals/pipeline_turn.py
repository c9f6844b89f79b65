"""A turn of a token classification pipeline of transformers, whatever model is in it.

With `aggregation_strategy="first"` it finds the chunks that we find with the policy "cut": the first piece of a word
gives its tag, an I- that follows no tag of its entity opens a chunk. Three things it does otherwise, none of which
happens in the 1,989 abstracts of JNLPBA (`tests/bench/test_equal_chunks.py` shows each):

- A piece is the end of a word to it if it is not as long as its text. So a word whose first piece lost a character (an
  accent that is a code point of its own, a soft hyphen) becomes part of the word before.
- "[SEP]" and the like in a text are special tokens to it, a word each.
- What is over the model's length it cuts off; we read on in windows. `benchmarks.float_weights` lets it use all
  positions.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measurement import Turn, digest_of, peak_rss, seconds_since_start, write_chunks
from benchmarks.rivals.sentences import WARM_UP, Entities, Sentence, chunk_rows, documents_of, read_sentences

OPTIONS: dict[str, Any] = {"aggregation_strategy": "first", "ignore_labels": ["O", "PAD"]}
"""A word has the tag of its first piece, as with us; the default is a row a piece. PAD, which is no entity, is one to
the pipeline unless it is named here."""

Tag = Callable[[list[str]], list[Entities]]


def take_turn(pipeline: Any, tag: Tag, sentences_file: Path, output: Path, chunks: Path | None) -> None:
    """Warms up, tags all sentences by the clock, and writes Turn and chunks.

    Args:
        pipeline: The pipeline; its tokenizer tells how many pieces the model read.
        tag: Calls it.
        sentences_file: What is tagged.
        output: File for the Turn.
        chunks: File for the chunks.
    """
    sentences = read_sentences(sentences_file)
    texts = [sentence.text for sentence in sentences]
    tag(texts[:WARM_UP])
    start_seconds = seconds_since_start()
    cpu, began = time.process_time(), time.perf_counter()
    entities = tag(texts)
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu
    peak = peak_rss()
    found = list(chunk_rows(sentences, entities))
    turn = Turn(
        seconds=seconds,
        documents=documents_of(sentences),
        pieces=count_pieces(pipeline.tokenizer, sentences),
        start_seconds=start_seconds,
        chunks=len(found),
        digest=digest_of(found),
        cpu_seconds=cpu_seconds,
        peak_rss=peak,
    )
    if chunks:
        write_chunks(chunks, found)
    turn.write(output)


def count_pieces(tokenizer: Any, sentences: Sequence[Sentence]) -> int:
    """The word pieces that a pipeline gives its model, special tokens with them, padding not; what is over is cut."""
    encoded = tokenizer([sentence.text for sentence in sentences], truncation=True)
    return sum(len(ids) for ids in encoded["input_ids"])
