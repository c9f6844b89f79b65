"""Gold documents turned into what the model is trained on: one row of word pieces and tag ids a sentence.

Sentences and words are cut by the same pieces of the pipeline that run at inference, so that the model never sees
text cut in a way it was not trained on.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from pipelines.stages.sentence_detector import detect_sentences

ENTITIES = ("protein", "DNA", "RNA", "cell_line", "cell_type")
LABELS = ("O", *(f"{prefix}-{entity}" for entity in ENTITIES for prefix in "BI"))
IGNORED = -100
"""The label that PyTorch's cross entropy leaves out: special tokens and every word piece but the first of a word."""


@dataclass(frozen=True, kw_only=True)
class LabelledSentence:
    """One sentence: `input_ids` with the special tokens, and a label id (or `IGNORED`) for each of them."""

    input_ids: tuple[int, ...]
    label_ids: tuple[int, ...]


def read_labelled_sentences(path: Path, tokenizer: Tokenizer, max_length: int = 512) -> list[LabelledSentence]:
    """Reads a JNLPBA file (`document_id`, `text`, `entities` with half-open code-point offsets), a sentence a row.

    A sentence longer than `max_length` pieces is cut there: the corpus has none.
    """
    sentences = []
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            spans = detect_sentences(document["text"])
            encodings = tokenizer.encode_batch([document["text"][start:end] for start, end in spans])
            for (start, _), encoding in zip(spans, encodings, strict=True):
                label_ids = label_pieces(encoding, start, document["entities"])
                sentences.append(
                    LabelledSentence(
                        input_ids=tuple(encoding.ids[:max_length]), label_ids=tuple(label_ids[:max_length])
                    )
                )
    return sentences


def label_pieces(encoding, sentence_start: int, entities: list[dict]) -> list[int]:
    """The label id of each piece: B- or I- on the first piece of a word that overlaps an entity, O on other words."""
    label_ids = [IGNORED] * len(encoding.ids)
    previous_word, previous_entity = None, None
    for piece, (word, (start, end)) in enumerate(zip(encoding.word_ids, encoding.offsets, strict=True)):
        if word is None or word == previous_word:
            continue
        previous_word = word
        start, end = sentence_start + start, sentence_start + end
        entity = next((e for e in entities if e["start"] < end and start < e["end"]), None)
        if entity is None:
            label_ids[piece] = LABELS.index("O")
        else:
            label_ids[piece] = LABELS.index(f"{'I' if entity is previous_entity else 'B'}-{entity['entity']}")
        previous_entity = entity
    return label_ids
