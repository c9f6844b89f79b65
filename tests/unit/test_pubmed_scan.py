"""The scanner against the reader: whatever the file, row i is the reader's record i."""

import gzip
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.pubmed_generator import write_baseline
from pipelines.config import RunStoppedError
from pipelines.corpora import pubmed_scan
from pipelines.corpora.input_files import InputError
from pipelines.corpora.pubmed import read_pubmed
from pipelines.corpora.pubmed_scan import PROBLEM, scan_citations
from pipelines.corpora.records import ReaderOptions
from pipelines.schema import CITATION

ARTICLES = Path(__file__).parents[1] / "data" / "pubmed" / "articles.xml"
SAMPLES = Path(__file__).parents[2].parent / "shared" / "pubmed"
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD" "https://x/a.dtd">\n'


def article(pmid="1", body="", *, version=' Version="1"', tag="Article", within="MedlineCitation", attributes=""):
    return (
        f"<Pubmed{tag}>\n  <{within}{attributes}>\n    <PMID{version}>{pmid}</PMID>{body}\n  </{within}>\n"
        f"</Pubmed{tag}>\n"
    )


def deletion(*pmids):
    return (
        "<DeleteCitation>\n" + "".join(f'<PMID Version="1">{pmid}</PMID>\n' for pmid in pmids) + "</DeleteCitation>\n"
    )


def in_set(*parts, head=HEAD, name="PubmedArticleSet"):
    return f"{head}<{name}>\n{''.join(parts)}</{name}>\n".encode()


def assert_as_the_reader(path):
    """The scan's records are the reader's; gives the scan."""
    expected, problem = [], ""
    try:
        for record in read_pubmed(str(path), ReaderOptions()):
            number = record.document_id or ""
            plain = number.isascii() and number.isdigit() and len(number) <= 8
            expected.append((int(number) if plain else 0, record.metadata.get("pmid_version")))
    except InputError as error:
        problem = error.reason
    scan = scan_citations(str(path))
    assert scan.schema.equals(CITATION)
    found = [row for row in scan.to_pylist() if not row["deletion"]]
    assert [row["pmid"] for row in found] == [pmid for pmid, _ in expected]
    assert [row["version"] for row, (pmid, _) in zip(found, expected, strict=True) if pmid] == [
        int(version) if re.fullmatch("[0-9]{1,4}", version) else 1 for pmid, version in expected if pmid
    ]
    assert (scan.schema.metadata or {}).get(PROBLEM, b"").decode() == problem
    return scan


def scan_bytes(tmp_path, data, name="a.xml"):
    (tmp_path / name).write_bytes(data)
    return assert_as_the_reader(tmp_path / name)


def deletions(scan):
    return [(row["pmid"], row["version"]) for row in scan.to_pylist() if row["deletion"]]


@pytest.fixture
def no_parser(monkeypatch):
    """Fails the test where a file is parsed: the fast way is what is tested."""
    monkeypatch.setattr(pubmed_scan, "_parse", None)


TRAP = (
    '<CommentsCorrectionsList><CommentsCorrections RefType="UpdateIn"><PMID Version="1">77</PMID></CommentsCorrections>'
    '</CommentsCorrectionsList></MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType="pubmed">78</ArticleId>'
    '</ArticleIdList><ReferenceList><Reference><ArticleIdList><ArticleId IdType="pubmed">79</ArticleId></ArticleIdList>'
    "</Reference></ReferenceList></PubmedData><MedlineCitation>"
)
USUAL = {
    "plain": in_set(article(1), article(2)),
    "versions": in_set(article(1), article(1, version=' Version="2"'), article(3, version="")),
    "attributes": in_set(article(1, attributes=' Status="MEDLINE" VersionDate="2012/02/14"')),
    "traps": in_set(article(1, TRAP), article(2, TRAP)),
    "books": in_set(article(1), article(2, tag="BookArticle", within="BookDocument"), article(3)),
    "only books": in_set(article(2, tag="BookArticle", within="BookDocument"), name="PubmedBookArticleSet"),
    "deletions": in_set(article(1), deletion(1, 5), name="PubmedArticleSet"),
    "deletions first": in_set(deletion(5), article(1), deletion(6), article(2)),
    "no head": in_set(article(1), head=""),
    "byte order mark": b"\xef\xbb\xbf" + in_set(article(1)),
    "text that looks like it": in_set(article(1, "<T>&lt;PubmedArticle&gt; PMID 5</T>")),
}
UNUSUAL = {
    "comment": in_set(article(1), f"<!-- {article(9)} -->", article(2)),
    "comment within": in_set(article(1, f"<!-- </PubmedArticle>{article(9)[:-20]} -->"), article(2)),
    "CDATA": in_set(article(1, f"<T><![CDATA[{article(9)}]]></T>"), article(2)),
    "CDATA end": in_set(article(1, "<T><![CDATA[</PubmedArticle>]]></T>"), article(2)),
    "processing instruction": in_set(article(1, f"<?x {article(9)}?>"), article(2)),
    "comment in the head": in_set(article(1), head=f"<!-- <PubmedArticleSet> {article(9)} -->"),
    "entity": in_set("&a;", article(2), head=f"<!DOCTYPE x [<!ENTITY a '{article(9)}'>]>"),
    "empty record": in_set(article(1), "<PubmedArticle/>", article(2)),
    "no PMID": in_set(article(1), "<PubmedArticle><MedlineCitation>x</MedlineCitation></PubmedArticle>", article(2)),
    "no PMID but of corrections": in_set(
        article(1),
        "<PubmedArticle><MedlineCitation><C><PMID Version='1'>7</PMID></C></MedlineCitation></PubmedArticle>",
    ),
    "an empty citation before a PMID": in_set(
        "<PubmedArticle><MedlineCitation a='1'/><PMID>7</PMID><MedlineCitation/></PubmedArticle>", article(2)
    ),
    "PMID behind": in_set("<PubmedArticle><MedlineCitation><D/><PMID>7</PMID></MedlineCitation></PubmedArticle>"),
    "a book in an article": in_set(article(1, within="BookDocument"), article(2)),
    "quotes": in_set(article(1, version=" Version='2'"), article(2)),
    "an angle in an attribute": in_set(article(1, attributes=' a="1>0"')),
    "more attributes": in_set(article(1, version=' a="b" Version="2"')),
    "spaced end": in_set(article(1)).replace(b"</PubmedArticle>", b"</PubmedArticle >"),
    "spaced start": in_set(article(1)).replace(b"<PubmedArticle>", b'<PubmedArticle a="b">'),
    "long PMID": in_set(article("1" * 9), article(2)),
    "PMID that is no number": in_set(article("x1"), article("٣"), article(2)),
    "character reference": in_set(article("&#49;2")),
    "version that is no number": in_set(article(1, version=' Version="x"'), article(1, version=' Version="99999"')),
    "within another element": in_set("<X>", article(1), "</X>", article(2)),
    "text between": in_set(article(1), "x", article(2)),
    "nested": in_set("<PubmedArticle>", article(1), "</PubmedArticle>", article(2)),
    "nothing": in_set(),
    "only deletions": in_set(deletion(1, 2)),
    "odd deletions": in_set(article(1), "<DeleteCitation><PMID>3</PMID><PMID Version='1'>4</PMID></DeleteCitation>"),
    "empty deletion": in_set(article(1), "<DeleteCitation/>"),
    "latin-1": in_set(article(1, "<T>é</T>"), head='<?xml version="1.0" encoding="iso-8859-1"?>')
    .decode()
    .encode("latin-1"),
    "utf-16": in_set(article(1), head='<?xml version="1.0" encoding="utf-16"?>').decode().encode("utf-16"),
    "not PubMed": b"<html/>",
    "no XML": b"PMID- 1",
    "empty": b"",
    "cut off": in_set(article(1), article(2))[:-80],
    "cut off behind a record": in_set(article(1), article(2)).removesuffix(b"</PubmedArticleSet>\n"),
}


@pytest.mark.parametrize("name", USUAL)
@pytest.mark.usefixtures("no_parser")
def test_what_nlm_writes_is_searched(tmp_path, name):
    scan_bytes(tmp_path, USUAL[name])


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_nlm_does_not_write_is_parsed(tmp_path, name):
    scan_bytes(tmp_path, UNUSUAL[name])


def test_deletions_are_found_either_way(tmp_path):
    assert deletions(scan_bytes(tmp_path, USUAL["deletions"])) == [(1, 1), (5, 1)]
    assert deletions(scan_bytes(tmp_path, USUAL["deletions first"])) == [(5, 1), (6, 1)]
    assert deletions(scan_bytes(tmp_path, UNUSUAL["only deletions"])) == [(1, 1), (2, 1)]
    assert deletions(scan_bytes(tmp_path, UNUSUAL["odd deletions"])) == [(3, 1), (4, 1)]


@pytest.mark.parametrize("path", [ARTICLES, *sorted(SAMPLES.glob("*.xml*"))], ids=lambda path: path.name)
def test_real_files(path):
    assert_as_the_reader(path)


@pytest.mark.parametrize("read_bytes", [700, 5000, 1 << 20])
@pytest.mark.usefixtures("no_parser")
def test_generated_files_wherever_their_bytes_are_cut(tmp_path, monkeypatch, read_bytes):
    monkeypatch.setattr(pubmed_scan, "READ_BYTES", read_bytes)
    truth = write_baseline(tmp_path, files=1, citations=30, updates=2)
    for path in (*truth.baseline, *truth.updates):
        assert_as_the_reader(path)


PIECES = [
    *map(article, range(1, 4)), article(9, tag="BookArticle", within="BookDocument"), deletion(8), "x", "\n",
    "<!-- ", " -->", "<![CDATA[", "]]>", "<PubmedArticle>", "</PubmedArticle>", "<PubmedArticle/>", "<MedlineCitation>",
    "</MedlineCitation>", '<PMID Version="1">5</PMID>', "<DeleteCitation>", "</DeleteCitation>",
]  # fmt: skip


@pytest.mark.parametrize(
    "parts",
    [
        ["<PubmedArticle>", deletion(8), "</PubmedArticle>"],
        ["<PubmedArticle><MedlineCitation><PMID>1</PMID>", deletion(8), "</MedlineCitation></PubmedArticle>"],
        ["<DeleteCitation>", article(1), "</DeleteCitation>"],
        ["<DeleteCitation>", deletion(8), "</DeleteCitation>", article(1)],
    ],
)
def test_deletions_and_records_within_each_other_are_scanned_as_they_are_read(tmp_path, parts):
    (tmp_path / "a.xml").write_bytes(in_set(*parts))
    assert_as_the_reader(tmp_path / "a.xml")


def test_a_break_behind_deletions_is_told_as_the_reader_tells_it(tmp_path):
    (tmp_path / "a.xml").write_bytes(in_set(article(1), "<!-- -->", deletion(8), "<broken>"))
    assert_as_the_reader(tmp_path / "a.xml")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=8))
def test_any_mix_that_is_xml_is_scanned_as_it_is_read(tmp_path_factory, parts):
    path = tmp_path_factory.mktemp("a") / "a.xml"
    path.write_bytes(in_set(*parts))
    try:
        list(read_pubmed(str(path), ReaderOptions()))
    except InputError:
        scan_citations(str(path))  # broken within a record: see its docstring
    else:
        assert_as_the_reader(path)


MANY = in_set(*(article(i, f"<T>{(i + 7) ** 40}</T>") for i in range(1, 2000)), deletion(3))
PACKED = gzip.compress(MANY, mtime=0)


@pytest.mark.parametrize(
    "data", [PACKED[:-5000], PACKED[:-8] + bytes(8), PACKED[:20000] + bytes([PACKED[20000] ^ 16]) + PACKED[20001:]]
)
def test_damaged_gzip_is_scanned_up_to_the_damage(tmp_path, data):
    scan = scan_bytes(tmp_path, data, "a.xml.gz")
    assert 100 < scan.num_rows < 2001
    assert scan.schema.metadata[PROBLEM]


def test_gzip_in_two_members(tmp_path):
    assert scan_bytes(tmp_path, gzip.compress(MANY[:5000]) + gzip.compress(MANY[5000:]), "a.xml.gz").num_rows == 2000


def test_a_file_that_is_not_there_has_no_citations_to_be_kept(tmp_path):
    with pytest.raises(RunStoppedError, match="No such file"):
        scan_citations(str(tmp_path / "a.xml"))


def test_a_truncated_file_keeps_every_whole_record(tmp_path):
    cut = PACKED[:3000]
    whole = zlib.decompressobj(31).decompress(cut).count(b"</PubmedArticle>")
    assert scan_bytes(tmp_path, cut, "a.xml.gz").num_rows == whole > 10
