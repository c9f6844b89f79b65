"""PubMed XML, as NLM publishes it: baseline files, update files, and what efetch gives."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from lxml import etree

from pipelines.corpora.records import ReaderOptions, Record
from pipelines.corpora.xml_stream import XmlRecords, read_elements
from pipelines.corpora.xml_text import element_text

PUBMED = XmlRecords(
    name="PubMed",
    tags=("PubmedArticle", "PubmedBookArticle"),
    roots=("PubmedArticleSet", "PubmedBookArticleSet"),
)


class Passage(NamedTuple):
    """A line of the text, and what its element says of it; None for a title."""

    text: str
    section: dict[str, str] | None


def read_pubmed(path: str, options: ReaderOptions) -> Iterator[Record]:
    """Reads citations and book records in a single pass; memory does not grow with the file.

    The text has one passage a line: the title, then each section of the abstract, then, where the options ask for them,
    each section of the other abstracts. Inline markup is dropped and its text kept; runs of XML white space become one
    space, and MathML loses its white space; nothing else is changed. A title stands as NLM gives it: a translated one
    in its brackets, and "[Not Available]." where there is none. A record with neither title nor abstract has no text.

    The id is the PMID. Metadata: `pmid_version`; `vernacular_title` where there is one, never a part of the text, which
    without other abstracts is English; and `sections` where any has a label or a category, or is of another abstract: a
    JSON list of {"label", "nlm_category", "start", "end"}, all sections in the order of the text, "" for what an
    element does not say. Those of other abstracts have "type" and "language" besides.

    All versions of a PMID are read, and deletions passed over: `pubmed_plan` has the last word on both.

    Raises:
        InputError: the file cannot be opened, or from some record on is not PubMed XML.
    """
    for number, element in enumerate(read_elements(path, PUBMED), start=1):
        yield _parse_record(element, options, f"record {number}")


def find_citation(element: etree._Element) -> tuple[etree._Element, etree._Element] | None:
    """The citation of a record and its PMID, which has text; None without one."""
    citation = element.find("BookDocument" if element.tag == "PubmedBookArticle" else "MedlineCitation")
    pmid = citation.find("PMID") if citation is not None else None
    return (citation, pmid) if pmid is not None and (pmid.text or "").strip() else None


def _parse_record(element: etree._Element, options: ReaderOptions, where: str) -> Record:
    found = find_citation(element)
    if found is None:
        return Record(None, None, {}, f"{where}: a <{element.tag}> without a PMID; NLM gives every record one")
    citation, pmid = found
    if citation.tag == "BookDocument":  # a record of a chapter, or of a whole book
        article = citation
        title = citation.find("ArticleTitle")
        title = citation.find("Book/BookTitle") if title is None else title
    else:
        article = citation.find("Article")
        title = article.find("ArticleTitle") if article is not None else None
    passages = [Passage(element_text(title), None)] if title is not None else []
    if article is not None:
        passages += [_section(section) for section in article.iterfind("Abstract/AbstractText")]
    if options.other_abstracts:
        for other in citation.iterfind("OtherAbstract"):
            kind = {"type": other.get("Type", ""), "language": other.get("Language", "")}
            passages += [_section(section, **kind) for section in other.iterfind("AbstractText")]
    passages = [passage for passage in passages if passage.text]
    vernacular = article.find("VernacularTitle") if article is not None else None
    metadata = {
        "pmid_version": pmid.get("Version", "1"),
        "vernacular_title": (element_text(vernacular) or None) if vernacular is not None else None,
        "sections": _located_sections(passages) or None,
    }
    text = "\n".join(passage.text for passage in passages) or None
    return Record.of(pmid.text.strip(), text, metadata, options=options, where=where)


def _section(element: etree._Element, **kind: str) -> Passage:
    section = {"label": element.get("Label", ""), "nlm_category": element.get("NlmCategory", "")}
    return Passage(element_text(element), section | kind)


def _located_sections(passages: list[Passage]) -> list[dict[str, Any]]:
    """The sections of an abstract with their half-open spans in the text; none if there is nothing to say of them."""
    sections: list[dict[str, Any]] = []
    start = 0
    for text, section in passages:
        if section is not None:
            sections.append(section | {"start": start, "end": start + len(text)})
        start += len(text) + 1  # the line end
    told = any(value for _, section in passages if section for value in section.values())
    return sections if told else []
