"""Which citations a PubMed file holds and which it deletes, some five times faster than it can be parsed.

A file as NLM writes them is searched as bytes. Anything unusual, and be it a comment, is left to the parser of the
reader, so that the ordinals are always the reader's.
"""

import re
from array import array
from dataclasses import replace
from io import BufferedIOBase

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
_WITH_DELETIONS = replace(PUBMED, between=("DeleteCitation",))


class _Citations:
    """PMIDs with versions; six bytes each, for a hostile file has tens of millions."""

    def __init__(self) -> None:
        self.pmids = array("i")
        self.versions = array("h")

    def add(self, pmid: bytes | str, version: bytes | str | None) -> None:
        """Adds one; "" is no PMID, and without a version it is the first."""
        self.pmids.append(int(pmid or 0))
        self.versions.append(int(version or 1))


class _UnusualError(Exception):
    """The bytes are not laid out as NLM lays them out; it may be good XML all the same."""


def scan_citations(path: str) -> pa.Table:
    """The citations of a PubMed file (CITATION): row i is the reader's record i; deletions follow.

    A file that breaks off gives what the reader can read of it; the reason stands in the metadata of the table as
    `PROBLEM`. Where XML is broken within a record that is laid out as usual, only the reader notices:
    records behind that point are listed here, and have the last word, though they cannot be read.
    """
    try:
        with open_bytes(path) as file:
            return _to_table(*_search(file))
    except (_UnusualError, InputError):
        return _parse(path)


def _parse(path: str) -> pa.Table:
    records, deletions, problem = _Citations(), _Citations(), ""
    try:
        for element in read_elements(path, _WITH_DELETIONS):
            if element.tag == "DeleteCitation":
                for pmid in element.iterfind("PMID"):
                    _add(deletions, pmid)
            else:
                found = find_citation(element)
                _add(records, found[1] if found else element)
    except InputError as error:
        problem = error.reason
    return _to_table(records, deletions, problem)


def _add(citations: _Citations, pmid: etree._Element) -> None:
    number, version = (pmid.text or "").strip(), pmid.get("Version", "")
    citations.add(
        number if re.fullmatch("[0-9]{1,8}", number) else "", version if re.fullmatch("[0-9]{1,4}", version) else None
    )


def _to_table(records: _Citations, deletions: _Citations, problem: str = "") -> pa.Table:
    columns = [
        np.concatenate([records.pmids, deletions.pmids]).astype(np.int32),
        np.concatenate([records.versions, deletions.versions]).astype(np.int16),
        np.repeat([False, True], [len(records.pmids), len(deletions.pmids)]),
    ]
    table = pa.Table.from_arrays([pa.array(column) for column in columns], schema=CITATION)
    return table.replace_schema_metadata({PROBLEM: problem} if problem else None)


def _search(file: BufferedIOBase) -> tuple[_Citations, _Citations]:
    """The records and deletions of a file that is laid out as usual."""
    records, deletions = _Citations(), _Citations()
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
    if not records.pmids or not set_end:  # nothing for us, or cut off
        raise _UnusualError
    _add_deletions(buffer[: set_end.start()], deletions)
    return records, deletions


def _behind_set_start(data: bytes) -> bytes:
    start = _SET_START.match(data)
    if not start or _OTHER_ENCODING.search(start[0]):
        raise _UnusualError
    return data[start.end() :]


def _search_records(data: bytes, records: _Citations, deletions: _Citations) -> None:
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
        _add_deletions(data[behind : start.start()], deletions)
        records.add(start[2], start[1])
        end_tag = _END.match(data, max(0, data.rfind(b"</Pubmed", start.end(), end)))
        if not end_tag:
            raise _UnusualError
        behind = end_tag.end()


def _add_deletions(between: bytes, deletions: _Citations) -> None:
    """Adds the deletions in what stands between two records, or behind the last.

    Raises:
        _UnusualError: There is something else.
    """
    if not between.strip():
        return
    found = _PMID.findall(between)
    if not _DELETIONS.fullmatch(between) or len(found) != between.count(b"<PMID"):
        raise _UnusualError
    for version, pmid in found:
        deletions.add(pmid, version)
