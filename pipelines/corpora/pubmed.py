"""PubMed XML, as NLM publishes it: baseline files, update files, and what efetch gives."""

import json
import re
from collections.abc import Iterator
from io import BufferedIOBase

from lxml import etree

from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.input_files import InputError
from pipelines.corpora.records import ReaderOptions, Record

MAX_FILE_BYTES = 4 << 30
"""Decompressed; ten times the largest file of the baseline. A gzip bomb ends here."""
MAX_RECORD_BYTES = 32 << 20
"""Of XML, between the ends of two records. All of it stands in memory."""

_RECORD_TAGS = ("PubmedArticle", "PubmedBookArticle")
_SET_TAGS = ("PubmedArticleSet", "PubmedBookArticleSet")
_RECORD_END = re.compile(rb"</Pubmed(?:Book)?Article>")
_LONGEST_END = len(b"</PubmedBookArticle>")
_CHUNK_BYTES = 1 << 16
_MATH = "{http://www.w3.org/1998/Math/MathML}math"
_LIBXML2_ADVICE = re.compile(", (?:try|use) XML_PARSE_HUGE(?: option)?")  # nothing that a user could set
_WHITE_SPACE = re.compile("[ \t\r\n]+")


def read_pubmed(path: str, options: ReaderOptions) -> Iterator[Record]:
    """Reads citations and book records in a single pass; memory does not grow with the file.

    The text has one passage a line: the title, then each section of the abstract. Inline markup is dropped and its text
    kept; runs of XML white space become one space, and MathML loses its white space; nothing else is changed. A record
    with neither title nor abstract has no text. Deletions are passed over, and all versions of a PMID are kept.

    The id is the PMID. Metadata: `pmid_version`, and `section_labels` where there are any: a JSON list with one string
    for each line of the text, "" for the title and for sections without a label.

    Raises:
        InputError: the file cannot be opened, or from some record on is not PubMed XML.
    """
    count = 0
    with open_bytes(path) as file:
        # What is outside the file is never fetched: no DTD, no external entity.
        parser = etree.XMLPullParser(
            events=("end",),
            tag=_RECORD_TAGS,
            resolve_entities="internal",
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        try:
            for chunk in _chunks(file, path):
                parser.feed(chunk)
                _refuse_errors(parser)
                for _, element in parser.read_events():
                    count += 1
                    yield _parse_record(element, options, f"record {count}")
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
            root = parser.close()
        except etree.XMLSyntaxError as error:
            message = _LIBXML2_ADVICE.sub("", error.msg)
            reason = f"after record {count} the XML is broken ({message}); download or copy the file again"
            if count == 0:
                reason = f"not PubMed XML, or broken before its first record ({message}); check what the file is"
            raise InputError(path, reason) from error
    if count == 0 and root.tag not in _SET_TAGS:
        raise InputError(path, f"XML, but not PubMed's: it is a <{root.tag}>, not a <PubmedArticleSet>")


def _chunks(file: BufferedIOBase, path: str) -> Iterator[bytes]:
    """The bytes of the file, cut behind every record, so that an error found in a chunk belongs to one record."""
    ahead, total, since_record = b"", 0, 0
    while data := file.read1(_CHUNK_BYTES):  # read() would drop what came before the point where gzip data is cut off
        total += len(data)
        since_record += len(data)
        ahead += data
        start = 0
        for match in _RECORD_END.finditer(ahead):
            yield ahead[start : match.end()]
            start = match.end()
            since_record = len(ahead) - start
        if total > MAX_FILE_BYTES or since_record > MAX_RECORD_BYTES:
            what, most = ("file", MAX_FILE_BYTES) if total > MAX_FILE_BYTES else ("record", MAX_RECORD_BYTES)
            raise InputError(
                path, f"more than {most >> 20:,} MiB of XML in one {what}; check what the file is, or split it"
            )
        keep = max(start, len(ahead) - _LONGEST_END + 1)  # a record's end may be cut in two here
        yield ahead[start:keep]
        ahead = ahead[keep:]
    yield ahead


def _refuse_errors(parser: etree.XMLPullParser) -> None:
    """Raises for what libxml2 lets pass until the end of the file: it drops an undeclared entity from the text."""
    if errors := parser.feed_error_log.filter_from_errors():
        error = errors[0]
        raise etree.XMLSyntaxError(f"{error.message}, line {error.line}, column {error.column}", error.type, 0, 0)


def _parse_record(element: etree._Element, options: ReaderOptions, where: str) -> Record:
    book = element.find("BookDocument")
    citation = element.find("MedlineCitation") if book is None else book
    pmid = citation.find("PMID") if citation is not None else None
    if pmid is None or not (pmid.text or "").strip():
        return Record(None, None, {}, f"{where}: a <{element.tag}> without a PMID; NLM gives every record one")
    if book is None:
        title = citation.find("Article/ArticleTitle")
        sections = citation.iterfind("Article/Abstract/AbstractText")
    else:  # a record of a chapter, or of a whole book
        title = book.find("ArticleTitle")
        title = book.find("Book/BookTitle") if title is None else title
        sections = book.iterfind("Abstract/AbstractText")
    passages = [("", _text(title))] if title is not None else []
    passages += [(section.get("Label", ""), _text(section)) for section in sections]
    passages = [(label, text) for label, text in passages if text]
    metadata = {"pmid_version": pmid.get("Version", "1")}
    if any(label for label, _ in passages):
        metadata["section_labels"] = json.dumps([label for label, _ in passages], ensure_ascii=False)
    text = "\n".join(text for _, text in passages) or None
    return Record.of(pmid.text.strip(), text, metadata, options=options, where=where)


def _text(element: etree._Element) -> str:
    parts: list[str] = []
    _collect_text(element, parts)
    return _WHITE_SPACE.sub(" ", "".join(parts)).strip(" ")


def _collect_text(element: etree._Element, parts: list[str]) -> None:
    """Appends the text in the element. Its depth, and so that of the recursion, is at most 256 in libxml2."""
    if element.tag == _MATH:  # white space in there is the layout of the XML
        parts.append("".join(_WHITE_SPACE.sub("", text) for text in element.itertext()))
        return
    parts.append(element.text or "")
    for child in element:
        _collect_text(child, parts)
        parts.append(child.tail or "")
