"""Files made to do harm, each in a process with little memory, through the reader and through the scanner."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ADDRESS_SPACE = 4 << 30
MOST_GROWTH = 160  # MiB; the largest record has 32 MiB, and is held a few times while it grows
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'

CHILD = """
import json, resource, sys
from pipelines.corpora import pubmed_scan, xml_stream
from pipelines.corpora.input_files import InputFile
from pipelines.corpora.pubmed import read_pubmed
from pipelines.corpora.records import ReaderOptions, read_tables

resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
xml_stream.MAX_UNPACKED_BYTES = pubmed_scan.MAX_UNPACKED_BYTES = int(sys.argv[3])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
before = peak()
file = InputFile(path=sys.argv[1], format="pubmed", size=0, version="v")
rows, errors, texts = 0, [], []
for table in read_tables(file, read_pubmed(file.path, ReaderOptions())):
    rows += table.num_rows
    errors += table["error"].drop_null().to_pylist()
    texts = [*texts, *table["text"].to_pylist()][:5]
read = peak()
scan = pubmed_scan.scan_citations(file.path)
problem = (scan.schema.metadata or {}).get(pubmed_scan.PROBLEM, b"").decode()
print(json.dumps({"rows": rows, "errors": errors, "texts": texts, "scanned": scan.num_rows, "problem": problem,
                  "reader growth": read - before, "growth": peak() - before}))
"""


def article(pmid, body="Title."):
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><ArticleTitle>{body}</ArticleTitle>'
        f"</Article></MedlineCitation></PubmedArticle>\n"
    )


def in_set(*articles, head=""):
    return f"{HEAD}{head}<PubmedArticleSet>{''.join(articles)}</PubmedArticleSet>".encode()


def outcome(path, *, cap=4 << 30, most_growth=MOST_GROWTH):
    done = subprocess.run(
        [sys.executable, "-c", CHILD, path, str(ADDRESS_SPACE), str(cap)],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["growth"] < most_growth, found
    return found


def bomb(path, start, filling, repeats, end=b""):
    """A gzip file of some members, one of them repeated: gigabytes in a moment."""
    with path.open("wb") as file:
        file.write(gzip.compress(start))
        member = gzip.compress(filling)
        for _ in range(repeats):
            file.write(member)
        file.write(gzip.compress(end))


def test_six_gigabytes_in_one_text(tmp_path):
    head, tail = in_set(article(1), article(2, "|")).split(b"|")
    bomb(tmp_path / "a.xml.gz", head, b"x" * (64 << 20), 96, tail)
    assert (tmp_path / "a.xml.gz").stat().st_size < 10 << 20
    found = outcome(tmp_path / "a.xml.gz")
    assert (found["rows"], found["scanned"]) == (2, 1)
    assert "Text node too long" in found["errors"][0]
    assert found["problem"] == found["errors"][0]


def test_gigabytes_of_elements_in_one_record(tmp_path):
    head, tail = in_set(article(1), article(2, "|")).split(b"|")
    bomb(tmp_path / "a.xml.gz", head, b"<i/>" * (4 << 20), 96, tail)
    found = outcome(tmp_path / "a.xml.gz", most_growth=1200)  # what libxml2 makes of 32 MiB of empty elements
    assert (found["rows"], found["scanned"]) == (2, 1)
    assert found["errors"] == ["more than 4,000,000 tags in one record; check what the file is, or split it"]


def test_gigabytes_behind_the_last_record(tmp_path):
    bomb(tmp_path / "a.xml.gz", in_set(article(1)), b" " * (64 << 20), 48)
    found = outcome(tmp_path / "a.xml.gz")
    assert (found["rows"], found["scanned"]) == (2, 1)
    assert "more than 32 MiB" in found["problem"]


@pytest.mark.parametrize("filling", [article(3), article(3, "<!-- x -->")], ids=["usual", "unusual"])
def test_more_records_than_a_file_can_have(tmp_path, filling):
    head, tail = in_set(article(1), "|").split(b"|")
    bomb(tmp_path / "a.xml.gz", head, filling.encode() * 1000, 40, tail)
    found = outcome(tmp_path / "a.xml.gz", cap=3 << 20)
    assert found["rows"] > 10_000
    assert found["scanned"] == found["rows"] - 1
    assert found["errors"] == ["more than 3 MiB of XML in one file; check what the file is, or split it"]


LAUGHS = "<!ENTITY a0 'ha'>" + "".join(f"<!ENTITY a{i} '{f'&a{i - 1};' * 10}'>" for i in range(1, 12))


@pytest.mark.parametrize(
    ("head", "body", "message"),
    [
        ("<!DOCTYPE s [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>", "&x;", "Entity 'x' not defined"),
        ("<!DOCTYPE s SYSTEM 'http://x.invalid/' [<!ENTITY x SYSTEM 'http://127.0.0.1:9/'>]>", "&x;", "Entity 'x' not"),
        (f"<!DOCTYPE s [{LAUGHS}]>", "&a11;", "Maximum entity amplification"),
        (f"<!DOCTYPE s [<!ENTITY q '{'x' * 500_000}'>]>", "&q;" * 200, "Maximum entity amplification"),
        ("", "<i>" * 5000 + "</i>" * 5000, "Excessive depth in document"),
    ],
    ids=["file", "network", "billion laughs", "quadratic", "deep"],
)  # fmt: skip
def test_what_stands_before_it_is_read_and_the_rest_is_an_error(tmp_path, head, body, message):
    (tmp_path / "a.xml").write_bytes(in_set(article(1), article(2, body), article(3), head=head))
    found = outcome(tmp_path / "a.xml")
    assert (found["rows"], found["texts"]) == (2, ["Title.", None])
    assert message in found["errors"][0]
    if head:  # otherwise it is laid out as NLM does, and only the reader finds out
        assert (found["scanned"], found["problem"]) == (1, found["errors"][0])
    else:
        assert found["scanned"] == 3


def test_an_entity_that_is_declared_is_its_character(tmp_path):
    (tmp_path / "a.xml").write_bytes(in_set(article(1, "&b;"), head="<!DOCTYPE s [<!ENTITY b '&#946;'>]>"))
    found = outcome(tmp_path / "a.xml")
    assert (found["texts"], found["scanned"], found["errors"]) == (["β"], 1, [])


def test_comments_cdata_and_two_gzip_members(tmp_path):
    data = in_set(article(1, "a<!-- b --><?c?><![CDATA[<d>]]>"), article(2))
    (tmp_path / "a.xml.gz").write_bytes(gzip.compress(data[:150]) + gzip.compress(data[150:]))
    found = outcome(tmp_path / "a.xml.gz")
    assert (found["texts"], found["scanned"], found["errors"]) == (["a<d>", "Title."], 2, [])
