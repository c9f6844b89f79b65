"""What the pages are made of: colours that can be read, scripts that make no markup of text, documents as data."""

import base64
import hashlib
import html.parser
import itertools
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.pages.example_texts import EXAMPLE_TEXTS
from pipelines.pages.page import render, source
from pipelines.pages.tagger import SCRIPTS as TAGGER_SCRIPTS
from pipelines.pages.tagger import tagger_page
from pipelines.pages.viewer import SCRIPTS as VIEWER_SCRIPTS
from pipelines.pages.viewer import viewer_page

SCHEMES = ("light", "dark")
TINTS = ("protein", "DNA", "RNA", "cell_line", "cell_type", "other")
ENOUGH = 4.5
"""The contrast that WCAG 2 AA asks for text."""


def colours(scheme):
    """The style's colours, `{name: "#rrggbb"}`."""
    light, dark = re.findall(r":root \{(.*?)\}", source("style.css"), re.DOTALL)
    found = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", light))
    return found | (dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", dark)) if scheme == "dark" else {})


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_can_be_read_on_what_it_stands_on(scheme):
    colour = colours(scheme)
    pairs = [("ink", tint) for tint in TINTS]
    pairs += itertools.product(("ink", "faint", "accent", "bad"), ("paper", "panel"))
    pairs += [("paper", "ink"), ("paper", "accent")]  # what shows a score; the main button
    low = {pair: value for pair in pairs if (value := contrast(*(colour[name] for name in pair))) < ENOUGH}
    assert low == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_each_entity_has_a_colour_of_its_own(scheme):
    colour = colours(scheme)
    assert len({colour[tint] for tint in TINTS}) == len(TINTS)
    assert {"paper", "ink", "faint", "line", "panel", "accent", "bad"} <= set(colour)


class Elements(html.parser.HTMLParser):
    """The elements of a page: names, attributes and the text of each script."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.scripts, self.inside = [], [], False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag == "script"
        self.scripts += [""] if self.inside else []

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "script"

    def handle_data(self, data):
        if self.inside:
            self.scripts[-1] += data


def document(text="IL-2", document_id="1", **values):
    chunk = {
        "sentence_id": 0,
        "chunk_id": 0,
        "start": 0,
        "end": len(text),
        "text": text,
        "entity": "DNA",
        "score": 2 / 3,
    }
    plain = {
        "document_id": document_id,
        "source": "/data/a.jsonl",
        "ordinal": 0,
        "text": text,
        "metadata": [("a", "b")],
    }
    return plain | {"sentences": [{"start": 0, "end": len(text)}], "chunks": [chunk], "error": None} | values


def view(*documents, name="d", total=None):
    total = len(documents) if total is None else total
    return "".join(viewer_page(documents, name=name, shown=len(documents), total=total))


@pytest.mark.parametrize("page", [tagger_page(), view(document())], ids=["tagger", "viewer"])
def test_a_page_stands_alone(page):
    tags = Elements(page).tags
    assert not [attrs for _, attrs in tags if set(attrs) & {"src", "action", "srcset"} or "style" in attrs]
    assert [attrs["href"] for tag, attrs in tags if tag == "link"] == ["data:,"]
    assert not [name for _, attrs in tags for name in attrs if name.startswith("on")]
    assert "@import" not in page
    assert "url(" not in page
    assert [attrs["lang"] for tag, attrs in tags if tag == "html"] == ["en"]
    assert [tag for tag, _ in tags].count("main") == [tag for tag, _ in tags].count("h1") == 1
    assert page.index("Content-Security-Policy") < page.index("<style")
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["for"] for tag, attrs in tags if tag == "label" and "for" in attrs} <= set(ids)


def policy(page):
    [found] = [attrs["content"] for tag, attrs in Elements(page).tags if tag == "meta" and "http-equiv" in attrs]
    return found


def test_only_the_page_that_has_a_server_may_ask_one():
    assert "connect-src 'self'" in policy(tagger_page())
    assert "connect-src" not in policy(view(document()))
    assert "default-src 'none'" in policy(view(document()))


@pytest.mark.parametrize("name", sorted({*TAGGER_SCRIPTS, *VIEWER_SCRIPTS}))
def test_scripts_make_text_and_never_markup(name):
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|\.srcdoc|setHTML"
    assert not re.search(forbidden, source(name))
    assert "</script" not in source(name).lower()
    assert "https://" not in source(name)


@pytest.mark.parametrize("page", [tagger_page(), view(document())], ids=["tagger", "viewer"])
def test_the_policy_lets_the_script_run_that_is_in_the_page(page):
    script = Elements(page).scripts[-1]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy(page)


def test_what_a_template_is_given_is_escaped():
    assert "<title>&lt;b&gt; – cytotag</title>" in render("viewer.html", name="<b>", extent="", documents="")


def test_examples_are_of_several_lengths():
    lengths = [len(text) for _, text in EXAMPLE_TEXTS]
    assert 3 <= len(lengths) <= 5
    assert min(lengths) < 600
    assert 1800 < max(lengths) < 2500
    assert all(EXAMPLE_TEXTS)
    examples = [attrs for _, attrs in Elements(tagger_page()).tags if attrs.get("class") == "example"]
    assert [attrs["value"] for attrs in examples] == [text for _, text in EXAMPLE_TEXTS]


def test_each_example_has_entities_of_most_types(embedded_model):
    from pipelines.light import LightPipeline

    for chunks in LightPipeline(embedded_model).annotate([text for _, text in EXAMPLE_TEXTS]):
        assert len({one["entity"] for one in chunks}) >= 4


def documents_in(page):
    [data, _] = Elements(page).scripts
    return [json.loads(line) for line in data.strip().split("\n") if line]


@given(st.text(), st.text())
def test_any_text_comes_back_out_of_the_page(text, document_id):
    text, document_id = (value.encode("utf-8", "replace").decode() for value in (text, document_id))
    text = f"</script><!--<script>{text}"
    [found] = documents_in(view(document(text, document_id)))
    assert (found["text"], found["document_id"], found["chunks"][0]["text"]) == (text, document_id, text)


def test_the_page_has_what_is_shown_and_nothing_else():
    [found] = documents_in(view(document()))
    assert set(found) == {"document_id", "ordinal", "source", "text", "sentences", "chunks", "error"}
    assert found["source"] == "a.jsonl"
    assert found["chunks"][0]["score"] == 0.666667
    assert documents_in(view(document("", chunks=[], error="<bad>")))[0]["error"] == "<bad>"
    assert documents_in(view()) == []


@pytest.mark.parametrize(
    ("total", "extent"),
    [(2, "2 documents"), (5000, "The first 2 of 5,000 documents; cytotag view --limit shows more.")],
)
def test_the_page_says_how_many_were_left_out(total, extent):
    assert f">{extent}</p>" in view(document(), document(), total=total)


def test_one_document_is_one_document():
    assert ">1 document</p>" in view(document())


def test_a_page_is_made_piece_by_piece():
    asked = []

    def documents():
        for number in range(3):
            asked.append(number)
            yield document()

    pieces = viewer_page(documents(), name="d", shown=3, total=3)
    assert next(pieces).startswith("<!doctype html>")
    assert asked == []
    next(pieces)
    assert asked == [0]
