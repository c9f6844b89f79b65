"""The reader on real PubMed files, which are not part of this repository."""

import gzip
import re
from pathlib import Path

import pytest
from lxml import etree

from pipelines.corpora.pubmed import read_pubmed
from pipelines.corpora.records import ReaderOptions

SAMPLES = Path(__file__).parents[2].parent / "shared" / "pubmed"
pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no PubMed samples in {SAMPLES}")

PMIDS = {  # of all records, in order; a version other than 1 follows a full stop
    "bp_pubmed1.xml": "12091962 9997",
    "bp_pubmed2.xml": "11748933 11700088",
    "bp_pubmed4.xml": "27797938",
    "bp_pubmed5.xml": "28775130",
    "bp_pubmed6.xml": "30108519",
    "bp_pubmed7.xml": "29963580",
    "pubmed-29768149.xml": "29768149",
    "tip_29355075.xml": "29355075",
    "tip_30073290.xml": "30073290",
    "tip_31400583.xml": "31400583",
    "tip_31408116.xml": "31408116",
    "tip_32048627.xml": "32048627",
    "tip_32260179.xml": "32260179",
    "tip_pubmed20n0001.xml.gz": "1 2 3 5 4 6 7 8 9 10",
    "tip_pubmed20n0002.xml.gz": "30970 30971 30972 30973 30974 30975 30976 30977 30979 30978",
    "tip_pubmed20n1203.xml.gz": "994879 798117 449742 994880 994882 994886 994887 994889 994890 994894",
    "tip_pubmed_sample.xml": "24451147 31383287 31383387.3 1 31687927 31383287.2 31383582",
}


@pytest.mark.parametrize("name", PMIDS)
def test_all_records_with_their_pmids_and_versions(name):
    records = list(read_pubmed(str(SAMPLES / name), ReaderOptions()))
    assert [record.error for record in records] == [None] * len(records)
    versions = [record.metadata["pmid_version"] for record in records]
    ids = [r.document_id if v == "1" else f"{r.document_id}.{v}" for r, v in zip(records, versions, strict=True)]
    assert " ".join(ids) == PMIDS[name]


@pytest.mark.parametrize("name", PMIDS)
def test_no_character_of_title_or_abstract_is_lost(name):
    data = (SAMPLES / name).read_bytes()
    root = etree.fromstring(gzip.decompress(data) if name.endswith(".gz") else data)
    for article, record in zip(
        root.iterfind("PubmedArticle"), read_pubmed(str(SAMPLES / name), ReaderOptions()), strict=True
    ):
        parts = article.xpath(".//Article/ArticleTitle | .//Article/Abstract/AbstractText")
        expected = "".join("".join(part.itertext()) for part in parts)
        assert without_white_space(record.text) == without_white_space(expected)
        assert not re.search(r"^ | $|  |\t|\r|\n\n", record.text, re.MULTILINE)
        assert len(record.text.split("\n")) == sum(bool("".join(part.itertext()).strip()) for part in parts)


def without_white_space(text: str) -> str:
    return re.sub(r"[ \t\r\n]", "", text)
