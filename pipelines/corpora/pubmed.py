"""PubMed XML, as NLM publishes it: baseline files, update files, and what efetch gives."""

import json
from collections.abc import Iterator

from lxml import etree

from pipelines.corpora.records import ReaderOptions, Record
from pipelines.corpora.xml_stream import XmlRecords, read_elements
from pipelines.corpora.xml_text import element_text

PUBMED = XmlRecords(
    name="PubMed",
    tags=("PubmedArticle", "PubmedBookArticle"),
    roots=("PubmedArticleSet", "PubmedBookArticleSet"),
)


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
    for number, element in enumerate(read_elements(path, PUBMED), start=1):
        yield _parse_record(element, options, f"record {number}")


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
    passages = [("", element_text(title))] if title is not None else []
    passages += [(section.get("Label", ""), element_text(section)) for section in sections]
    passages = [(label, text) for label, text in passages if text]
    metadata = {"pmid_version": pmid.get("Version", "1")}
    if any(label for label, _ in passages):
        metadata["section_labels"] = json.dumps([label for label, _ in passages], ensure_ascii=False)
    text = "\n".join(text for _, text in passages) or None
    return Record.of(pmid.text.strip(), text, metadata, options=options, where=where)
