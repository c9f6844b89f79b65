"""CoNLL, as the JNLPBA shared task has it: `token TAB tag` in IOB2, a blank line after each sentence.

A document begins with `###MEDLINE:<id>` and a blank line, not with the `-DOCSTART-` of other shared tasks: JNLPBA's own
files have that, its evaluation script and the readers made for it look for it, and it names the document. No token
looks like it, since a `#` is a token of its own.
"""

import re
from collections.abc import Iterable, Iterator

import pyarrow as pa

from pipelines.exports.rows import Document, documents, id_in_line, one_word
from pipelines.outputs.output_error import OutputError

SUFFIX = ".conll"

_TOKEN = re.compile(r"[^\W_]+|\S")


def render(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """The file of these documents (DOCUMENT_ROW).

    Tokens are runs of letters and digits, or one other character; they end where a chunk begins or ends, so that every
    chunk is some tokens. White space, scores and metadata have no place here.

    Raises:
        OutputError: Two chunks overlap, or one is blank or goes over the end of its sentence; no tags can say that.
    """
    for document in documents(tables):
        yield "".join(_lines(document)).encode()


def _lines(document: Document) -> Iterator[str]:
    yield f"###MEDLINE:{id_in_line(document['document_id'])}\n\n"
    chunks = sorted(document["chunks"], key=lambda chunk: chunk["start"])
    said = 0
    for sentence in document["sentences"]:
        at = sentence["start"]
        while said < len(chunks) and chunks[said]["start"] < sentence["end"]:
            chunk = chunks[said]
            if chunk["start"] < at or chunk["end"] > sentence["end"] or not chunk["text"].strip():
                break
            yield _tagged(document["text"], at, chunk["start"], "O", "O")
            entity = one_word(chunk["entity"])
            yield _tagged(document["text"], chunk["start"], chunk["end"], f"B-{entity}", f"I-{entity}")
            at = chunk["end"]
            said += 1
        yield _tagged(document["text"], at, sentence["end"], "O", "O")
        yield "\n"
    if said < len(chunks):
        raise OutputError(
            f"document {document['document_id']!r}: the chunk from {chunks[said]['start']} to {chunks[said]['end']} "
            f"overlaps another, is blank, or leaves its sentence; CoNLL cannot say that, choose another format"
        )


def _tagged(text: str, start: int, end: int, first: str, others: str) -> str:
    tokens = _TOKEN.findall(text, start, end)
    return "".join(f"{token}\t{others if number else first}\n" for number, token in enumerate(tokens))
