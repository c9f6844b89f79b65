"""JATS full text, as PMC's archive and Europe PMC give it: an article, or a set of them."""

from collections.abc import Iterator

from lxml import etree

from pipelines.corpora.annotations import label_metadata
from pipelines.corpora.jats_passages import ArticlePassages
from pipelines.corpora.records import ReaderOptions, Record
from pipelines.corpora.xml_stream import XmlRecords, read_elements

JATS = XmlRecords(name="JATS", tags=("article",), roots=("article", "pmc-articleset", "articles"))

_ID_TYPES = {"pmcid": "pmcid", "pmc": "pmcid", "pmid": "pmid", "doi": "doi"}


def read_jats(path: str, options: ReaderOptions) -> Iterator[Record]:
    """Reads articles in a single pass; memory does not grow with the file. `ArticlePassages` says what their text is.

    The id is the PMC id, "PMC" before its digits, or else the PMID, or else the DOI. Metadata: those of `pmcid`, `pmid`
    and `doi` that there are, and `section_labels`: a JSON list with one string for each line of the text, the titles of
    the sections around it joined with " > ".

    Raises:
        InputError: the file cannot be opened, or from some article on is not JATS.
    """
    for number, element in enumerate(read_elements(path, JATS), start=1):
        yield _parse_article(element, options, f"article {number}")


def _parse_article(article: etree._Element, options: ReaderOptions, where: str) -> Record:
    ids: dict[str, str] = {}
    for article_id in article.iterfind("front/article-meta/article-id"):
        name = _ID_TYPES.get(article_id.get("pub-id-type", ""))
        value = "".join(article_id.itertext()).strip()
        if name and value:
            ids.setdefault(name, f"PMC{value}" if name == "pmcid" and value.isdecimal() else value)
    document_id = ids.get("pmcid") or ids.get("pmid") or ids.get("doi")
    lines = ArticlePassages(article).lines
    try:
        metadata = ids | label_metadata([label for label, _ in lines])
    except ValueError as error:
        return Record.of(document_id, None, ids)._replace(error=f"{where}: {error}")
    text = "\n".join(text for _, text in lines) or None
    return Record.of(document_id, text, metadata, options=options, where=where)
