import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpora.jats import read_jats
from pipelines.corpora.records import ReaderOptions, Record

NAMESPACES = 'xmlns:mml="http://www.w3.org/1998/Math/MathML" xmlns:xlink="http://www.w3.org/1999/xlink"'
IDS = '<article-id pub-id-type="pmid">11</article-id><article-id pub-id-type="pmc">22</article-id>'
FRONT_TITLE = "<title-group><article-title>T.</article-title></title-group>"


def article(body="", *, meta="", back="", ids=IDS, title=FRONT_TITLE):
    front = f"<front><article-meta>{ids}{title}{meta}</article-meta></front>"
    return f"<article {NAMESPACES}>{front}<body>{body}</body>{back}</article>"


def read(tmp_path, data, name="a.nxml"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read_jats(str(path), ReaderOptions()))


def lines(tmp_path, *args, **parts):
    """(label, line) of the only article, without its title."""
    [record] = read(tmp_path, article(*args, **parts))
    found = record.text.split("\n")
    labels = json.loads(record.metadata.get("section_labels", json.dumps([""] * len(found))))
    return list(zip(labels, found, strict=True))[1:]


@pytest.mark.parametrize(
    ("ids", "document_id", "metadata"),
    [
        ([("pmid", "1"), ("pmc", "2"), ("doi", "10.1/x")], "PMC2", {"pmid": "1", "pmcid": "PMC2", "doi": "10.1/x"}),
        ([("pmcid", "PMC2"), ("pmcaid", "2"), ("pmid", "1")], "PMC2", {"pmcid": "PMC2", "pmid": "1"}),
        ([("pmid", " 1\n"), ("doi", "10.1/x")], "1", {"pmid": "1", "doi": "10.1/x"}),
        ([("doi", "10.1/x"), ("publisher-id", "p")], "10.1/x", {"doi": "10.1/x"}),
        ([("pmc", "")], None, {}),
        ([], None, {}),
    ],
)
def test_the_id_is_the_best_there_is(tmp_path, ids, document_id, metadata):
    written = "".join(f'<article-id pub-id-type="{kind}">{value}</article-id>' for kind, value in ids)
    assert read(tmp_path, article(ids=written)) == [Record(document_id, "T.", metadata)]


def test_sections_are_lines_with_the_path_of_their_titles(tmp_path):
    body = (
        "<p>Before.</p><sec sec-type='intro'><p>No title.</p></sec>"
        "<sec><label>2.</label><title>Methods <italic>in vitro</italic></title><p>One.</p><p>Two.</p>"
        "<sec><title>Cells</title><p>Three.</p></sec><p>Four.</p></sec>"
    )
    assert lines(tmp_path, body) == [
        ("", "Before."),
        ("intro", "No title."),
        ("Methods in vitro", "Methods in vitro"),
        ("Methods in vitro", "One."),
        ("Methods in vitro", "Two."),
        ("Methods in vitro > Cells", "Cells"),
        ("Methods in vitro > Cells", "Three."),
        ("Methods in vitro", "Four."),
    ]


def test_abstracts_come_without_their_titles_and_translations_not_at_all(tmp_path):
    meta = (
        "<abstract><title>Summary</title><sec><title>Aim</title><p>A.</p></sec></abstract>"
        "<abstract abstract-type='graphical'><p>G.</p></abstract><trans-abstract><p>Nein.</p></trans-abstract>"
    )
    assert lines(tmp_path, meta=meta) == [("Summary > Aim", "A."), ("graphical", "G.")]


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("A <italic>b<sub>2</sub></italic>\n  c<break/>d&#160;e", "A b2 c d\u00a0e"),
        ("x <!-- n -->y<?pi?><![CDATA[<z>]]>", "x y<z>"),
        ("a <named-content><styled-content>b</styled-content></named-content> <ext-link>c</ext-link>", "a b c"),
        # superscript reference numbers
        ("IL-2<sup><xref ref-type='bibr'>12</xref></sup> is", "IL-2 is"),
        ("IL-2<sup><xref>1</xref>,<xref>2</xref>\u2013<xref>4</xref></sup> is", "IL-2 is"),
        ("IL-2<xref ref-type='bibr'><sup>12</sup></xref> is", "IL-2 is"),
        ("IL-2<xref ref-type='bibr'>1</xref><xref ref-type='bibr'>2</xref> is", "IL-2 is"),
        ("end.<xref ref-type='bibr'>12</xref> Next", "end. Next"),
        ("IL-2 [<xref ref-type='bibr'>1</xref>,<xref ref-type='bibr'>2</xref>] is", "IL-2 [1,2] is"),
        ("IL-2 (<xref ref-type='bibr'>Smith, 2001</xref>) is", "IL-2 (Smith, 2001) is"),
        ("in <xref ref-type='bibr'>12</xref> it", "in 12 it"),
        ("see <xref ref-type='fig'>Fig. 1</xref>A", "see Fig. 1A"),
        ("10<sup>6</sup> and Ca<sup>2+</sup>", "106 and Ca2+"),
        ("Figure<xref ref-type='fig'>1</xref>", "Figure1"),
        # formulas
        (
            "a <inline-formula><alternatives><tex-math>\\begin</tex-math><mml:math><mml:mi> x </mml:mi>\n"
            "<mml:mn>2</mml:mn></mml:math></alternatives></inline-formula>.",
            "a x2.",
        ),
        ("a <inline-formula><tex-math>\\begin</tex-math></inline-formula>.", "a ."),
        ("a <alternatives><textual-form>b</textual-form><textual-form>c</textual-form></alternatives>.", "a b."),
        ("a <alternatives><graphic/></alternatives>b", "a b"),
        ("a <disp-formula><label>(1)</label><mml:math><mml:mi>y</mml:mi></mml:math></disp-formula> b", "a y b"),
        ("a <inline-graphic><alt-text>no</alt-text></inline-graphic>b", "a b"),
    ],
)
def test_inline_markup_is_dropped_and_its_text_kept(tmp_path, inside, text):
    assert lines(tmp_path, f"<p>{inside}</p>") == [("", text)]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<p>See <fig><label>Fig 1</label><caption><title>C.</title><p>D.</p></caption></fig>it.</p>", "See it.|C.|D."),
        ("<p>A<fn><p>Note.</p></fn> b.</p><p>C.</p>", "A b.|Note.|C."),
        ("<p>A:<list><list-item><label>1</label><p>B</p></list-item></list>c.</p>", "A:|B|c."),
        ("<list><title>L</title><list-item><p>B</p></list-item></list>", "L|B"),
        ("<def-list><def-item><term>IL</term><def><p>Interleukin</p></def></def-item></def-list>", "IL|Interleukin"),
        ("<disp-quote><p>Q.</p><attrib>me</attrib></disp-quote>", "Q."),
        ("<boxed-text><title>Box</title><p>B.</p></boxed-text>", "Box|B."),
        ("<fig-group><caption><p>G.</p></caption><fig><caption><p>F.</p></caption></fig></fig-group>", "G.|F."),
        ("<supplementary-material><label>S1</label><caption><p>S.</p></caption></supplementary-material>", "S."),
        ("<disp-formula><mml:math><mml:mi>x</mml:mi></mml:math></disp-formula>", "x"),
        ("<unheard-of><p>U.</p>v</unheard-of>", "U.|v"),
        ("<p> </p><p/><sec/><fig/>", ""),
    ],
)
def test_blocks_are_lines_in_document_order(tmp_path, body, found):
    assert [line for _, line in lines(tmp_path, body)] == [line for line in found.split("|") if line]


def test_tables_have_their_captions_alone(tmp_path):
    table = (
        "<table-wrap><label>Table 1</label><caption><p>Genes.</p></caption><table><tr><td>TERT</td></tr></table>"
        "<table-wrap-foot><fn><p>foot</p></fn></table-wrap-foot></table-wrap>"
    )
    assert lines(tmp_path, f"<sec><title>R</title>{table}</sec>") == [("R", "R"), ("R", "Genes.")]


def test_of_the_back_matter_the_appendices_are_read(tmp_path):
    back = (
        "<back><ack><p>Thanks.</p></ack><app-group><app><title>A</title><p>More.</p></app></app-group>"
        "<app><p>Last.</p></app><ref-list><ref><mixed-citation>R.</mixed-citation></ref></ref-list></back>"
        "<floats-group><fig><caption><p>F.</p></caption></fig></floats-group>"
        "<sub-article><front-stub><article-id pub-id-type='pmid'>9</article-id></front-stub><body><p>Reply.</p></body>"
        "</sub-article>"
    )
    assert lines(tmp_path, back=back) == [("A", "A"), ("A", "More."), ("", "Last."), ("", "F.")]


@pytest.mark.parametrize("root", ["pmc-articleset", "articles"])
def test_a_set_is_as_many_documents(tmp_path, root):
    records = read(tmp_path, f"<{root}>{article('<p>1</p>')}\n{article('<p>2</p>', ids='')}</{root}>")
    assert [(record.document_id, record.text) for record in records] == [("PMC22", "T.\n1"), (None, "T.\n2")]


def test_an_article_without_text_has_none(tmp_path):
    [record] = read(tmp_path, article(title=""))
    assert (record.text, record.error) == (None, None)


def test_labels_that_swell_are_cut(tmp_path):
    body = "<sec><title>" + "x" * 1_000_000 + "</title>" + "<p>a</p>" * 1000 + "</sec>"
    assert lines(tmp_path, body)[-1] == ("x" * 200, "a")


def test_labels_longer_than_a_document_are_an_error(tmp_path):
    [record] = read(tmp_path, article("<sec><title>" + "x" * 200 + "</title>" + "<p>a</p>" * 80_000 + "</sec>"))
    assert record.document_id == "PMC22"
    assert record.error.startswith("article 1: its section labels have 16,000,200 characters, 16,000,000 are allowed")


@pytest.mark.parametrize(
    ("bad", "prolog", "message"),
    [
        ("&x;", "<!DOCTYPE s [<!ENTITY x SYSTEM 'file:///etc/hostname'>]>", "Entity 'x' not defined"),
        ("&beta;", "<!DOCTYPE article PUBLIC '-//NLM//DTD' 'JATS-archivearticle1.dtd'>", "Entity 'beta' not defined"),
        ("<i>" * 5000, "", "Excessive depth in document: 256"),
        ("x" * 11_000_000, "", "Resource limit exceeded: Text node too long"),
        ("\udcff", "", "Invalid bytes in character encoding"),
        ("<p>", "", "Opening and ending tag mismatch"),
    ],
)
def test_the_articles_before_a_broken_one_stand(corpus_rows, bad, prolog, message):
    good = article("<p>good</p>")
    data = f"{prolog}<pmc-articleset>{good}{article(f'<p>{bad}</p>')}{good}</pmc-articleset>"
    rows = corpus_rows("a.nxml", data.encode(errors="surrogateescape"))
    assert [row["text"] for row in rows] == ["T.\ngood", None]
    assert rows[1]["error"].startswith(f"after record 1 the XML is broken ({message}")


def test_deep_sections_are_read(tmp_path):
    body = "<sec><title>s</title>" * 240 + "<p>deep</p>" + "</sec>" * 240
    assert lines(tmp_path, body)[-1] == (" > ".join("s" * 240), "deep")


def test_many_citations_take_no_time(tmp_path):
    body = "<p>a" + '<xref ref-type="bibr">1</xref>' * 200_000 + "</p>"
    assert lines(tmp_path, body) == [("", "a")]


def test_through_the_source(corpus_rows):
    [row] = corpus_rows("PMC22.nxml.gz", gzip.compress(article("<p>IL-2 gene</p>").encode()))
    assert (row["document_id"], row["text"], row["ordinal"], row["error"]) == ("PMC22", "T.\nIL-2 gene", 0, None)
    assert row["metadata"] == {"pmid": "11", "pmcid": "PMC22"}


WORDS = st.text("abα😀", min_size=1, max_size=5)
INLINE = st.recursive(
    WORDS, lambda inner: st.lists(inner, max_size=3).map(lambda parts: f"<bold>{''.join(parts)}</bold>")
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paragraphs=st.lists(st.lists(INLINE, max_size=4), max_size=5))
def test_every_word_of_the_paragraphs_is_kept(tmp_path, paragraphs):
    written = ["".join(parts) for parts in paragraphs]
    expected = [text.replace("<bold>", "").replace("</bold>", "") for text in written]
    found = [line for _, line in lines(tmp_path, "".join(f"<p>{text}</p>" for text in written))]
    assert found == [text for text in expected if text]
