"""Which citations a PubMed file holds and which it deletes, some ten times faster than it can be parsed.

A file as NLM writes them is searched as bytes. Anything unusual, and be it a comment, is left to the parser of the
reader, so that the ordinals are always the reader's.
"""

import re
from dataclasses import replace
from io import BufferedIOBase
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from lxml import etree

from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.input_files import InputError
from pipelines.corpora.pubmed import PUBMED, find_citation
from pipelines.corpora.xml_stream import MAX_RECORD_BYTES, MAX_UNPACKED_BYTES, read_elements
from pipelines.schema import CITATION

PROBLEM = b"problem"
"""Key of the table's metadata that says why the file could not be read to its end."""

READ_BYTES = 1 << 20

_PMID = re.compile(rb'<PMID(?:\s+Version="(\d{1,4})")?\s*>\s*(\d{1,8})\s*</PMID>')
_START = re.compile(  # of a record, up to its PMID
    rb"<Pubmed(?:Article>\s*<MedlineCitation|BookArticle>\s*<BookDocument)(?:\s[^<>]*)?(?<!/)>\s*" + _PMID.pattern
)
_STARTS = (b"<PubmedArticle", b"<PubmedBookArticle")
_ENDS = (b"</PubmedArticle>", b"</PubmedBookArticle>")
_END = re.compile(rb"</Pubmed(?:Book)?Article>")
_HIDING = (b"<!", b"<?")  # comments, CDATA, processing instructions
_DELETIONS = re.compile(rb"\s*<DeleteCitation>(?:\s*<PMID[^<>]*>[^<>]*</PMID>)*\s*</DeleteCitation>\s*")
_SET_START = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:<\?xml\s[^<>]*\?>)?\s*(?:<!DOCTYPE\s[^<>\[]*>)?\s*<Pubmed(?:Book)?ArticleSet(?:\s[^<>]*)?>"
)
_SET_END = re.compile(rb"</Pubmed(?:Book)?ArticleSet>\s*\Z")
_OTHER_ENCODING = re.compile(rb"encoding\s*=\s*.(?!utf-8.)", re.IGNORECASE)
_WITH_DELETIONS = replace(PUBMED, tags=(*PUBMED.tags, "DeleteCitation"))


class _Citation(NamedTuple):
    pmid: int
    version: int


class _UnusualError(Exception):
    """The bytes are not laid out as NLM lays them out; it may be good XML all the same."""


def scan_citations(path: str) -> pa.Table:
    """The citations of a PubMed file (CITATION): row i is the reader's record i; deletions follow.

    A file that breaks off, or cannot be opened, gives what the reader can read of it; the reason stands in the metadata
    of the table as `PROBLEM`. Where XML is broken within a record that is laid out as usual, only the reader notices:
    records behind that point are listed here, and have the last word, though they cannot be read.
    """
    try:
        with open_bytes(path) as file:
            return _to_table(*_search(file))
    except (_UnusualError, InputError):
        return _parse(path)


def _parse(path: str) -> pa.Table:
    records: list[_Citation] = []
    deletions: list[_Citation] = []
    problem = ""
    try:
        for element in read_elements(path, _WITH_DELETIONS):
            if element.tag == "DeleteCitation":
                deletions += map(_citation, element.iterfind("PMID"))
            else:
                found = find_citation(element)
                records.append(_citation(found[1]) if found else _Citation(0, 0))
    except InputError as error:
        problem = error.reason
    return _to_table(records, deletions, problem)


def _citation(pmid: etree._Element) -> _Citation:
    number, version = (pmid.text or "").strip(), pmid.get("Version", "")
    return _Citation(
        int(number) if re.fullmatch("[0-9]{1,8}", number) else 0,
        int(version) if re.fullmatch("[0-9]{1,4}", version) else 1,
    )


def _to_table(records: list[_Citation], deletions: list[_Citation], problem: str = "") -> pa.Table:
    pmids, versions = np.array([*records, *deletions], np.int32).reshape(-1, 2).T
    deletion = np.repeat([False, True], [len(records), len(deletions)])
    table = pa.Table.from_arrays(
        [pa.array(pmids), pa.array(versions.astype(np.int16)), pa.array(deletion)], schema=CITATION
    )
    return table.replace_schema_metadata({PROBLEM: problem} if problem else None)


def _search(file: BufferedIOBase) -> tuple[list[_Citation], list[_Citation]]:
    """The records and deletions of a file that is laid out as usual."""
    records: list[_Citation] = []
    deletions: list[_Citation] = []
    buffer, total = b"", 0
    while data := file.read(READ_BYTES):
        if not total:
            data = _behind_set_start(data)
        buffer += data
        total += len(data)
        if len(buffer) > MAX_RECORD_BYTES or total > MAX_UNPACKED_BYTES:
            raise _UnusualError
        if end := max(buffer.rfind(tag) + len(tag) if tag in buffer else 0 for tag in _ENDS):
            _search_records(buffer[:end], records, deletions)
            buffer = buffer[end:]
    set_end = _SET_END.search(buffer)
    if not records or not set_end:  # nothing for us, or cut off
        raise _UnusualError
    deletions += _deletions(buffer[: set_end.start()])
    return records, deletions


def _behind_set_start(data: bytes) -> bytes:
    start = _SET_START.match(data)
    if not start or _OTHER_ENCODING.search(start[0]):
        raise _UnusualError
    return data[start.end() :]


def _search_records(data: bytes, records: list[_Citation], deletions: list[_Citation]) -> None:
    """Adds the records of `data`, which ends where one ends, and the deletions between them.

    Raises:
        _UnusualError: The tags of records are laid out otherwise, or may be hidden in a comment or the like.
    """
    starts = list(_START.finditer(data))
    if not len(starts) == sum(map(data.count, _STARTS)) == sum(map(data.count, _ENDS)):
        raise _UnusualError
    if any(sign in data for sign in _HIDING):
        raise _UnusualError
    ends = [*(start.start() for start in starts[1:]), len(data)]
    behind = 0
    for start, end in zip(starts, ends, strict=True):
        deletions += _deletions(data[behind : start.start()])
        records.append(_Citation(int(start[2]), int(start[1] or 1)))
        end_tag = _END.match(data, max(0, data.rfind(b"</Pubmed", start.end(), end)))
        if not end_tag:
            raise _UnusualError
        behind = end_tag.end()


def _deletions(between: bytes) -> list[_Citation]:
    """The deletions in what stands between two records, or behind the last.

    Raises:
        _UnusualError: There is something else.
    """
    if not between.strip():
        return []
    found = _PMID.findall(between)
    if not _DELETIONS.fullmatch(between) or len(found) != between.count(b"<PMID"):
        raise _UnusualError
    return [_Citation(int(pmid), int(version or 1)) for version, pmid in found]
