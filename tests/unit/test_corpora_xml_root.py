import gzip

import pytest

from pipelines.corpora import xml_root
from pipelines.corpora.input_files import InputError
from pipelines.corpora.records import ReaderOptions
from pipelines.corpora.xml_root import read_xml, root_tag

PUBMED = (
    b"<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID>1</PMID><Article><ArticleTitle>P</ArticleTitle></Article>"
    b"</MedlineCitation></PubmedArticle></PubmedArticleSet>"
)
TITLE = b"<front><article-meta><title-group><article-title>J</article-title></title-group></article-meta></front>"
JATS = b"<article>" + TITLE + b"</article>"
BIOC = b"<collection><document><id>1</id><passage><offset>0</offset><text>B</text></passage></document></collection>"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (PUBMED, "P"),
        (JATS, "J"),
        (b"<pmc-articleset>" + JATS + b"</pmc-articleset>", "J"),
        (b"<articles>" + JATS + b"</articles>", "J"),
        (BIOC, "B"),
        (
            b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- <article> -->\n<!DOCTYPE collection SYSTEM 'BioC.dtd'>\n" + BIOC,
            "B",
        ),
        (("<?xml version='1.0' encoding='utf-16'?>" + BIOC.decode()).encode("utf-16"), "B"),
        (b"<!-- " + b"x" * 100_000 + b" -->" + JATS, "J"),
    ],
)
@pytest.mark.parametrize("name", ["a.xml", "a.xml.gz"])
def test_the_outermost_element_tells_the_kind(corpus_rows, name, data, text):
    rows = corpus_rows(name, gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    assert [(row["text"], row["error"]) for row in rows] == [(text, None)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (
            b"<html/>",
            "XML of an unknown kind: it is a <html>; read are <PubmedArticleSet>, <PubmedBookArticleSet>, <art",
        ),
        (b"<article xmlns='urn:x'/>", "XML of an unknown kind: it is a <{urn:x}article>; read are"),
        (b"", "not XML, or broken at its start (no element found); check what the file is"),
        (b"<!-- only -->", "not XML, or broken at its start ("),
        (b"<!-- " + b"x" * 30_000, "not XML, or broken at its start ("),
        (b"{}", "not XML, or broken at its start (Start tag expected, '<' not found, line 1, column 1); check"),
        (b"<!-- " + b"x" * 3_000_000, "no element in its first 1,048,576 bytes"),
        (b"<?xml version='1.0'?>" + b"<!-- x -->" * 300_000 + JATS, "no element in its first 1,048,576 bytes"),
    ],
)
def test_any_other_kind_is_one_line_that_names_it(corpus_rows, data, reason):
    [row] = corpus_rows("a.xml", data)
    assert row["error"].startswith(reason)
    assert row["metadata"] == {"broken_file": "true"}


def test_no_more_than_the_start_of_a_file_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.xml.gz"
    path.write_bytes(gzip.compress(JATS[:20] + bytes(range(256)) * 10_000, mtime=0)[:200])
    monkeypatch.setattr(xml_root, "_CHUNK_BYTES", 16)
    assert root_tag(str(path)) == "article"


def test_cut_off_before_its_first_element(tmp_path):
    path = tmp_path / "a.xml.gz"
    path.write_bytes(gzip.compress(b"<!-- x -->", mtime=0)[:-9])
    with pytest.raises(InputError, match="the gzip data is cut off"):
        list(read_xml(str(path), ReaderOptions()))
