import gzip
import json
import zlib
from pathlib import Path

import pytest

from pipelines.corpora import xml_stream
from pipelines.corpora.input_files import InputError, InputFile
from pipelines.corpora.pubmed import read_pubmed
from pipelines.corpora.records import ReaderOptions, Record, read_tables

ARTICLES = Path(__file__).parents[1] / "data" / "pubmed" / "articles.xml"
NO_PMID = "without a PMID; NLM gives every record one"
EXPECTED = [
    Record("90000001", "Interleukin-2 activates NF-kappa B.\nOne plain section.", {"pmid_version": "1"}),
    Record(
        "90000002",
        "Markup: bold both up, CD4+, H2O, under.\n"
        "TNF-β & IL-1β\u00a0are\u2009p<0.05.\nNo <label> here.\n𝛼 and 😀 spaced here.",
        {
            "pmid_version": "1",
            "sections": '[{"label": "BACKGROUND", "nlm_category": "BACKGROUND", "start": 40, "end": 65}, '
            '{"label": "", "nlm_category": "METHODS", "start": 66, "end": 82}, '
            '{"label": "RÉSULTATS", "nlm_category": "", "start": 83, "end": 103}]',
        },
    ),
    Record("90000003", "The He3/Xe ratio.\nSee x=1 .", {"pmid_version": "1"}),
    Record("90000004", "[No abstract here].", {"pmid_version": "1", "vernacular_title": "Kein Abstract."}),
    Record("90000005", "An abstract without a title.", {"pmid_version": "1"}),
    Record("90000006", None, {"pmid_version": "1"}),
    Record(None, None, {}, f"record 7: a <PubmedArticle> {NO_PMID}"),
    Record(None, None, {}, f"record 8: a <PubmedArticle> {NO_PMID}"),
    Record("90000007", "First version.", {"pmid_version": "1"}),
    Record("90000007", "Second version.", {"pmid_version": "2"}),
    Record(
        "90000008",
        "A Chapter\nOf TERT.",
        {
            "pmid_version": "1",
            "sections": '[{"label": "CLINICAL CHARACTERISTICS", "nlm_category": "", "start": 10, "end": 18}]',
        },
    ),
    Record("90000009", "The Whole Book", {"pmid_version": "1"}),
]


def article(pmid: int, title: str = "") -> str:
    title = title or f"Title {pmid}."
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><ArticleTitle>{title}</ArticleTitle>'
        f"</Article></MedlineCitation></PubmedArticle>\n"
    )


def article_set(*articles: str, prolog: str = "") -> bytes:
    return f"{prolog}<PubmedArticleSet>\n{''.join(articles)}</PubmedArticleSet>\n".encode()


def read(tmp_path: Path, data: bytes, name: str = "a.xml") -> list[Record]:
    (tmp_path / name).write_bytes(data)
    return list(read_pubmed(str(tmp_path / name), ReaderOptions()))


def read_rows(tmp_path: Path, data: bytes, name: str = "a.xml") -> list[dict]:
    path = tmp_path / name
    path.write_bytes(data)
    file = InputFile(path=str(path), format="pubmed", size=len(data), version="v")
    return [r for t in read_tables(file, read_pubmed(str(path), ReaderOptions())) for r in t.to_pylist()]


def test_reads_every_kind_of_record():
    assert list(read_pubmed(str(ARTICLES), ReaderOptions())) == EXPECTED


def test_reads_gzip_the_same(tmp_path):
    assert read(tmp_path, gzip.compress(ARTICLES.read_bytes()), "a.xml.gz") == EXPECTED


@pytest.mark.parametrize("chunk_bytes", [1, 7, 19, 20, 21, 400, 5000])
def test_where_the_bytes_are_cut_makes_no_difference(monkeypatch, chunk_bytes):
    monkeypatch.setattr(xml_stream, "CHUNK_BYTES", chunk_bytes)
    assert list(read_pubmed(str(ARTICLES), ReaderOptions())) == EXPECTED


def test_sections_have_the_spans_of_their_lines():
    seen = 0
    for record in EXPECTED:
        for section in json.loads(record.metadata.get("sections", "[]")):
            assert record.text[section["start"] : section["end"]] in record.text.split("\n")[1:]
            seen += 1
    assert seen == 4


MANY_KINDS = """<PubmedArticleSet><PubmedArticle><MedlineCitation><PMID Version="1">1</PMID><Article>
  <ArticleTitle>[Not Available].</ArticleTitle>
  <Abstract><AbstractText>𝛼 is plain.</AbstractText><AbstractText/></Abstract>
  <VernacularTitle>Über <i>E. coli</i>.</VernacularTitle></Article>
  <OtherAbstract Type="Publisher" Language="fre">
    <AbstractText Label="BUT" NlmCategory="OBJECTIVE">Résumé.</AbstractText><AbstractText>Fin.</AbstractText>
    <CopyrightInformation>Not text</CopyrightInformation>
  </OtherAbstract>
  <OtherAbstract Type="plain-language-summary" Language="eng">
    <AbstractText>In plain words.</AbstractText>
  </OtherAbstract>
</MedlineCitation></PubmedArticle></PubmedArticleSet>"""


def test_other_abstracts_are_read_where_they_are_asked_for(tmp_path):
    path = tmp_path / "a.xml"
    path.write_text(MANY_KINDS, encoding="utf-8")
    [without] = read_pubmed(str(path), ReaderOptions())
    assert without.text == "[Not Available].\n𝛼 is plain."
    assert without.metadata == {"pmid_version": "1", "vernacular_title": "Über E. coli."}
    [record] = read_pubmed(str(path), ReaderOptions(other_abstracts=True))
    assert record.text == f"{without.text}\nRésumé.\nFin.\nIn plain words."
    sections = json.loads(record.metadata["sections"])
    assert [record.text[one["start"] : one["end"]] for one in sections] == record.text.split("\n")[1:]
    assert [
        {key: value for key, value in one.items() if value and key not in ("start", "end")} for one in sections
    ] == [
        {},
        {"label": "BUT", "nlm_category": "OBJECTIVE", "type": "Publisher", "language": "fre"},
        {"type": "Publisher", "language": "fre"},
        {"type": "plain-language-summary", "language": "eng"},
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1"])
def test_reads_other_encodings_that_xml_declares(tmp_path, encoding):
    prolog = f'<?xml version="1.0" encoding="{encoding}"?>'
    data = article_set(article(1, "naïve"), article(2), prolog=prolog).decode().encode(encoding)
    assert [record.text for record in read(tmp_path, data)] == ["naïve", "Title 2."]


@pytest.mark.parametrize(
    "data",
    [
        b"<PubmedArticleSet/>",
        b"<PubmedArticleSet><DeleteCitation><PMID Version='1'>1</PMID></DeleteCitation></PubmedArticleSet>",
        b"\xef\xbb\xbf<?xml version='1.0'?>\n<PubmedBookArticleSet></PubmedBookArticleSet>",
    ],
)
def test_a_set_without_articles_has_no_records(tmp_path, data):
    assert read(tmp_path, data) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not PubMed XML, or broken before its first record (Document is empty"),
        (b"PMID- 12345\n", "not PubMed XML, or broken before its first record (Start tag expected, '<' not found"),
        (b"\x89PNG\r\n\x1a\n", "not PubMed XML, or broken before its first record ("),
        (b"<html><body/></html>", "XML, but not PubMed XML: it is a <html>, not a <PubmedArticleSet>"),
        (
            b"<MedlineCitationSet><MedlineCitation/></MedlineCitationSet>",
            "XML, but not PubMed XML: it is a <MedlineCitationSet>",
        ),
        (
            b"<PubmedArticleSet>" + b"<a>" * 5000,
            "not PubMed XML, or broken before its first record (Excessive depth in document: 256, line",
        ),
        (
            b"<!DOCTYPE s [<!ENTITY % p SYSTEM 'file:///etc/hostname'> %p;]>" + article_set(article(1)),
            "not PubMed XML, or broken before its first record (Entity 'p' not defined",
        ),
    ],
)
def test_what_is_not_pubmed_is_refused(tmp_path, data, reason):
    with pytest.raises(InputError) as caught:
        read(tmp_path, data)
    assert caught.value.reason.startswith(reason)
    assert "\n" not in str(caught.value)


LAUGHS = "<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 12))
QUADRATIC = f"<!ENTITY a11 '{'x' * 500_000}'>"


@pytest.mark.parametrize(
    ("bad", "prolog", "message"),
    [
        (article(3, "&beta;"), "", "Entity 'beta' not defined"),
        (
            article(3, "a &beta; b"),
            '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM" "https://dtd.invalid/a.dtd">',
            "Entity 'beta' not",
        ),
        (article(3, "&x;"), "<!DOCTYPE s [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>", "Entity 'x' not defined"),
        (article(3, "&x;"), "<!DOCTYPE s [<!ENTITY x SYSTEM 'http://127.0.0.1:9/'>]>", "Entity 'x' not defined"),
        (article(3, "&a11;"), f"<!DOCTYPE s [{LAUGHS}]>", "Maximum entity amplification"),
        (article(3, "&a11;" * 200), f"<!DOCTYPE s [{QUADRATIC}]>", "Maximum entity amplification"),
        (article(3, "x" * 11_000_000), "", "Resource limit exceeded: Text node too long"),
        (article(3, "<i>" * 5000 + "</i>" * 5000), "", "Excessive depth in document: 256, line"),
        (article(3, "<i>"), "", "Opening and ending tag mismatch"),
        (article(3, "a & b"), "", "xmlParseEntityRef: no name"),
        (article(3, "\x01"), "", "PCDATA invalid Char value 1"),
        (article(3, "<mml:math/>"), "", "Namespace prefix mml on math is not defined"),
        (article(3, "\udcff"), "", "Invalid bytes in character encoding"),
        ("</PubmedArticleSet>", "", "Extra content at the end of the document"),
    ],
)
def test_the_records_before_a_broken_one_stand(tmp_path, bad, prolog, message):
    text = f"{prolog}<PubmedArticleSet>{article(1)}{article(2)}{bad}{article(4)}</PubmedArticleSet>"
    rows = read_rows(tmp_path, text.encode(errors="surrogateescape"))
    assert [row["text"] for row in rows] == ["Title 1.", "Title 2.", None]
    assert rows[-1]["error"].startswith(f"after record 2 the XML is broken ({message}")
    assert "XML_PARSE_HUGE" not in rows[-1]["error"]
    assert rows[-1]["last"]


@pytest.mark.parametrize("cut", [1, 20, 60, 200])
def test_the_records_before_the_cut_of_a_file_stand(tmp_path, cut):
    data = article_set(*(article(i) for i in range(1, 6)))[:-cut]
    rows = read_rows(tmp_path, data)
    complete = data.count(b"</PubmedArticle>")
    assert [row["document_id"] for row in rows] == [*map(str, range(1, complete + 1)), None][: len(rows)]
    assert rows[-1]["error"] is None if cut == 1 else rows[-1]["error"].startswith(f"after record {complete} the XML")


MANY = gzip.compress(article_set(*(article(i, f"{(i + 7) ** 40}") for i in range(5000))), mtime=0)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (MANY[:-5000], "the gzip data is cut off before its end; download or copy the file again"),
        (MANY[:-8] + bytes(8), "the gzip data is damaged (CRC check failed"),
        (MANY[:20000] + bytes([MANY[20000] ^ 16]) + MANY[20001:], ""),
    ],
)
def test_damaged_gzip_keeps_the_records_before(tmp_path, data, reason):
    rows = read_rows(tmp_path, data, "a.xml.gz")
    assert len(rows) > 100
    assert rows[-1]["error"].startswith(reason)
    assert [row["document_id"] for row in rows[:-1]] == [str(i) for i in range(len(rows) - 1)]


def test_every_whole_record_before_the_cut_of_gzip_data_stands(tmp_path):
    cut = MANY[:3000]
    whole = zlib.decompressobj(31).decompress(cut).count(b"</PubmedArticle>")
    rows = read_rows(tmp_path, cut, "a.xml.gz")
    assert whole > 10
    assert len(rows) == whole + 1


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("MAX_RECORD_BYTES", article_set(*["<x/>"] * 400_000)),
        ("MAX_UNPACKED_BYTES", article_set(*(article(i) for i in range(12_000)))),
    ],
)
def test_a_gzip_bomb_ends_early(tmp_path, monkeypatch, name, data):
    monkeypatch.setattr(xml_stream, name, 1 << 20)
    rows = read_rows(tmp_path, gzip.compress(data), "a.xml.gz")
    assert rows[-1]["error"].startswith("more than 1 MiB of XML in one")
    assert len(rows) < 9000
