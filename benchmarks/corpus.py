"""The texts of the speed suite: one folder that all sides read.

Copies of a corpus have the same sentences again. So whatever keeps results by text, such as a cache of sentences, must
be measured on a corpus without copies.
"""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from actors.model_files import ModelFiles
from pipelines.corpora.formats import READERS
from pipelines.corpora.input_files import find_input_files
from pipelines.corpora.records import ReaderOptions, read_tables
from pipelines.stages.document_assembler import DocumentAssembler
from pipelines.stages.sentence_detector import SentenceDetector
from pipelines.stages.tokenizer import Tokenizer

FEW_DOCUMENTS = 8
"""What a pipeline is warmed up with, and what a job is given to see what its start takes."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A folder with the documents, and with their sentences for those who cut none.

    Attributes:
        folder: Holds `documents.jsonl`, lines {"document_id", "text"}, and `sentences.jsonl`, lines {"document_id",
            "start", "text"}: the spans that our SentenceDetector finds, `start` in the document.
    """

    folder: Path

    @property
    def documents(self) -> Path:
        """The documents."""
        return self.folder / "documents.jsonl"

    @property
    def sentences(self) -> Path:
        """Their sentences, in order."""
        return self.folder / "sentences.jsonl"

    @functools.cached_property
    def size(self) -> int:
        """How many documents."""
        return sum(1 for _ in read_documents(self))


def write_corpus(source: Path, folder: Path, *, copies: int = 1, limit: int | None = None) -> Corpus:
    """Writes the first `limit` documents of a JSONL file `copies` times; the first copy keeps its ids."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()[:limit]]
    corpus = Corpus(folder=folder)
    with corpus.documents.open("w", encoding="utf-8") as lines:
        for copy in range(copies):
            for document in documents:
                document_id = f"{document['document_id']}-{copy}" if copy else document["document_id"]
                row = {"document_id": document_id, "text": document["text"]}
                lines.write(json.dumps(row) + "\n")
    with corpus.sentences.open("w", encoding="utf-8") as lines:
        for table in sentence_tables(corpus):
            for document in table.select(["document_id", "text", "sentences"]).to_pylist():
                for span in document["sentences"]:
                    text = document["text"][span["start"] : span["end"]]
                    row = {"document_id": document["document_id"], "start": span["start"], "text": text}
                    lines.write(json.dumps(row) + "\n")
    return corpus


def read_documents(corpus: Corpus) -> Iterator[tuple[str, str]]:
    """Id and text of each document."""
    with corpus.documents.open(encoding="utf-8") as lines:
        for line in lines:
            document = json.loads(line)
            yield document["document_id"], document["text"]


def sentence_tables(corpus: Corpus) -> Iterator[pa.Table]:
    """The documents with their sentences (SENTENCE)."""
    (file,) = find_input_files([str(corpus.documents)])
    for table in read_tables(file, READERS["jsonl"](file.path, ReaderOptions())):
        yield SentenceDetector().transform(DocumentAssembler().transform(table))


def model_windows(corpus: Corpus, model: ModelFiles) -> list[list[int]]:
    """The word piece ids that the model reads of a corpus, a list a window, special tokens with them."""
    tokenizer = Tokenizer(folder=model.folder, max_length=model.max_length)
    windows: list[list[int]] = []
    for table in sentence_tables(corpus):
        windows += pa.chunked_array(tokenizer.transform(table)["windows"]).combine_chunks().flatten().to_pylist()
    return windows
