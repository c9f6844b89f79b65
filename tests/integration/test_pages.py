"""The pages in a real browser: the tagger's, over a real pipeline and over servers that fail, and the viewer's."""

import contextlib
import http.server
import json
import threading
import urllib.parse

import pyarrow as pa
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from actors.model_files import ModelFiles
from pipelines.exports.pubtator import render as pubtator
from pipelines.light import LightPipeline
from pipelines.pages.example_texts import EXAMPLE_TEXTS
from pipelines.pages.tagger import tagger_page
from pipelines.pages.viewer import viewer_page
from pipelines.schema import DOCUMENT_ROW
from pipelines.stages.ner_converter import NerConverter

LABELS = ["protein", "DNA", "RNA", "cell_line", "cell_type"]
TEXT = "IL-2 mRNA in Jurkat cells.\nNF-kappa B binds the IL-2 promoter in human T lymphocytes."
ASTRAL = "😀 \U0001d6fc-actin mRNA and \U0001d7d9 IL-2 gene 👩‍🔬 in Jurkat cells"
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=\"document.title='pwned'\"> IL-2 mRNA &lt;b&gt; </textarea>"
    "</script> in Jurkat cells"
)
MODEL = {
    "name": "<b>m</b>",
    "entities": LABELS,
    "limits": {"documents": 8, "characters": 200_000, "body_bytes": 1 << 20},
}


@contextlib.contextmanager
def serving(answer):
    """A server that answers as the endpoint seldom does: `answer(path, headers, body)` gives status, headers and body,
    or None to hang up."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def reply(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/":
                answered = 200, {"Content-Type": "text/html; charset=utf-8"}, tagger_page()
            else:
                answered = answer(self.path, self.headers, body)
            if answered is None:
                return
            status, headers, content = answered
            content = content if isinstance(content, str) else json.dumps(content)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content.encode())), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content.encode())

        do_GET = do_POST = reply  # noqa: N815  # names of http.server

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield "http://{}:{}/".format(*server.server_address)
    server.shutdown()
    server.server_close()
    thread.join()


def tagged(text, chunks=(), error=None):
    sentences = [{"start": 0, "end": len(text)}]
    return {"documents": [{"document_id": "1", "sentences": sentences, "chunks": list(chunks), "error": error}]}


def chunk(text, start, end, entity="protein", score=0.9, number=0):
    found = {"start": start, "end": end, "text": text[start:end], "entity": entity, "score": score}
    return {"sentence_id": 0, "chunk_id": number, **found}


@pytest.fixture(scope="module")
def pipeline():
    return LightPipeline.from_pretrained()


@pytest.fixture(scope="module")
def endpoint_url(serve_endpoint):
    with serve_endpoint() as endpoint:
        yield f"{endpoint.url}/"


@pytest.fixture
def page_with():
    """`page_with(answer)`: the address of a page over a server whose `/v1/tag` answers so, model and token aside."""
    with contextlib.ExitStack() as servers:

        def start(answer):
            def complete(path, headers, body):
                return (200, {}, MODEL) if path == "/v1/model" else answer(headers, body)

            return servers.enter_context(serving(complete))

        yield start


class Page:
    """What a person does with a page, and sees."""

    def __init__(self, browser):
        self.browser = browser

    def run(self, code, *arguments):
        return self.browser.execute_script(code, *arguments)

    def one(self, selector):
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def wait(self, condition):
        return WebDriverWait(self.browser, 30, 0.05).until(lambda _: condition())

    def open(self, url):
        self.browser.get("about:blank")
        self.browser.get(url)
        return self

    def open_tagger(self, url):
        self.open(url)
        self.wait(lambda: self.one("#model").text)
        return self

    def fill(self, text):
        self.run(
            "const [box, text] = arguments; box.value = text; box.dispatchEvent(new Event('input'))",
            self.one("#input"),
            text,
        )

    def tag(self, text):
        self.fill(text)
        self.one("#tag").click()
        self.wait(lambda: self.one("#status").text.startswith("Done") or self.one("#problem").text)

    def marks(self):
        return self.run(
            "return [...document.querySelectorAll('#text mark')].map(m => [m.textContent, m.dataset.entity])"
        )

    def rows(self):
        return self.run(
            "return [...document.querySelectorAll('#entities tbody tr')]"
            ".map(row => [...row.cells].map(cell => cell.textContent).join(' '))"
        )

    def set_threshold(self, value):
        self.run(
            "const [box, value] = arguments; box.value = value; box.dispatchEvent(new Event('input'))",
            self.one("#threshold"),
            str(value),
        )
        self.next_frame()

    def next_frame(self):
        self.browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")

    def type(self, label):
        [box] = [one for one in self.all("#types label") if one.text.startswith(label)]
        return box

    def requests(self):
        return self.run("return performance.getEntriesByType('resource').length")

    def press(self, *keys):
        actions = ActionChains(self.browser)
        for key in keys:
            actions.send_keys(key)
        actions.perform()

    def focused(self):
        return self.run("const e = document.activeElement; return e.id || e.textContent")

    def wide(self, width, height=900):
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def scheme(self, name):
        features = {"prefers-color-scheme": name, "prefers-reduced-motion": "reduce"}  # what moves cannot be clicked
        asked = {"features": [{"name": feature, "value": value} for feature, value in features.items()]}
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", asked)

    def clipboard(self, url, setting):
        parts = urllib.parse.urlsplit(url)
        for permission in ("clipboard-write", "clipboard-read"):
            asked = {
                "permission": {"name": permission},
                "setting": setting,
                "origin": f"{parts.scheme}://{parts.netloc}",
            }
            self.browser.execute_cdp_cmd("Browser.setPermission", asked)

    def log(self):
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def hosts(self):
        """The hosts that the browser was sent to since this was last asked."""
        events = [json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance")]
        urls = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
        parts = map(urllib.parse.urlsplit, urls)
        return {part.hostname for part in parts if part.scheme not in ("data", "about", "file")}


@pytest.fixture
def page(browser):
    """A page in a wide window. In the end nothing was asked of other hosts, and nothing stands in the console."""
    page = Page(browser)
    page.wide(1280)
    page.scheme("light")
    page.log(), page.hosts()
    yield page
    assert page.hosts() <= {"127.0.0.1"}
    assert page.log() == []
    assert page.one("html").get_attribute("lang") == "en"


@pytest.fixture
def failing(browser):
    """A page whose requests fail, of which the browser tells in its console."""
    page = Page(browser)
    page.wide(1280)
    page.scheme("light")
    yield page
    assert [line for line in page.log() if "Failed to load resource" not in line] == []


@pytest.mark.parametrize("text", [TEXT, ASTRAL, HOSTILE, "a\r\nIL-2 gene\r\n\n  NF-kappa B  "])
def test_each_mark_is_a_chunk_of_its_type(page, endpoint_url, pipeline, text):
    page.open_tagger(endpoint_url).tag(text)
    sent = text.replace("\r\n", "\n")  # as every text field gives it
    expected = pipeline.annotate(sent)
    assert page.marks() == [[one["text"], one["entity"]] for one in expected]
    assert len(expected) > 1
    assert page.one("#text").get_property("textContent") == sent
    names = [one["entity"].replace("_", " ") for one in expected]
    seen = page.run("return [...document.querySelectorAll('mark')].map(m => getComputedStyle(m, '::after').content)")
    assert [json.loads(name) for name in seen] == names
    assert page.rows() == [
        f"{one['text']} {name} {one['score']:.3f} {one['start']}–{one['end']}"
        for one, name in zip(expected, names, strict=True)
    ]


def test_markup_in_a_text_shows_as_text(page, endpoint_url):
    page.open_tagger(endpoint_url)
    before = page.run("return document.querySelectorAll('*').length")
    page.tag(HOSTILE)
    assert page.one("#text").text.startswith("<script>alert(1)</script><img src=x")
    made = page.run("return [...document.querySelectorAll('*')].map(e => e.tagName)")
    assert (made.count("SCRIPT"), made.count("IMG"), made.count("B")) == (1, 0, 0)
    assert before < len(made)
    assert page.browser.title == "cytotag"


def test_the_policy_keeps_markup_dead_even_if_it_got_in(failing, endpoint_url):
    failing.open_tagger(endpoint_url)
    assert (
        failing.run("try { document.body.innerHTML = '<b>x</b>'; return 'made' } catch (e) { return e.name }")
        == "TypeError"
    )
    failing.run("const s = document.createElement('script'); s.append('document.title = 1'); document.body.append(s)")
    failing.run("const i = document.createElement('img'); i.src = 'http://127.0.0.2:9/x.png'; document.body.append(i)")
    told = []

    def all_told():
        told.extend(failing.log())
        return all(any(word in line for line in told) for word in ("TrustedHTML", "TrustedScript", "img-src"))

    failing.wait(all_told)
    assert failing.browser.title == "cytotag"


def test_filters_ask_nothing_of_the_server(page, endpoint_url, pipeline):
    page.open_tagger(endpoint_url).tag(TEXT)
    chunks, requests = pipeline.annotate(TEXT), page.requests()
    assert page.type("protein").text == f"protein\n{sum(one['entity'] == 'protein' for one in chunks)}"
    page.type("protein").click()
    page.next_frame()
    kept = [one for one in chunks if one["entity"] != "protein"]
    assert 0 < len(kept) < len(chunks)
    assert page.marks() == [[one["text"], one["entity"]] for one in kept]
    assert page.one("#text").get_property("textContent") == TEXT
    assert page.one("#summary").text == f"{len(kept)} of {len(chunks)} entities"

    page.type("protein").click()
    scores = sorted(one["score"] for one in chunks)
    threshold = -(-scores[len(scores) // 2] * 100 // 1) / 100  # between steps of the slider none is lost
    page.set_threshold(threshold)
    kept = [one for one in chunks if one["score"] >= threshold]
    assert len(page.rows()) == len(page.marks()) == len(kept)
    assert 0 < len(kept) < len(chunks)

    page.set_threshold(1)
    assert page.marks() == []
    assert page.one("#summary").text == f"None of {len(chunks)} entities passes the filters."
    assert page.requests() == requests


def test_the_slider_starts_at_the_models_own_threshold(page, endpoint_url, pipeline):
    model, text = ModelFiles.from_pretrained(), dict(EXAMPLE_TEXTS)["HIV-1 latency (long)"]
    everything = NerConverter(labels=model.labels, policy=model.tag_policy)
    kept, every = pipeline.annotate(text), LightPipeline(model, ner_converter=everything).annotate(text)
    assert 0 < len(kept) < len(every)
    page.open_tagger(endpoint_url).tag(text)
    assert float(page.one("#threshold").get_property("value")) == model.threshold > 0
    assert page.marks() == [[one["text"], one["entity"]] for one in kept]
    assert page.one("#summary").text == f"{len(kept)} of {len(every)} entities"
    page.set_threshold(0)
    assert page.marks() == [[one["text"], one["entity"]] for one in every]


def document_of(text, chunks):
    row = {"document_id": "1", "source": "", "ordinal": 0, "text": text, "metadata": [], "error": None}
    row |= {"sentences": [{"start": 0, "end": len(text)}], "chunks": chunks}
    return pa.Table.from_pylist([row], schema=DOCUMENT_ROW)


@pytest.mark.parametrize("text", [TEXT, f"{ASTRAL}\ttab\u2028line\nIL-2 gene\x0b\x85 in\nT cells"])
def test_what_is_shown_can_be_copied(page, endpoint_url, pipeline, text):
    page.open_tagger(endpoint_url).tag(text)
    page.clipboard(endpoint_url, "granted")
    page.type("RNA").click()
    page.next_frame()
    kept = [one for one in pipeline.annotate(text) if one["entity"] != "RNA"]
    read = "navigator.clipboard.readText().then(arguments[0])"

    page.one("#copy-json").click()
    page.wait(lambda: "as JSON" in page.one("#summary").text)
    copied = json.loads(page.browser.execute_async_script(read))
    assert (copied["document_id"], copied["text"]) == ("1", text)
    assert [(one["start"], one["end"], one["text"], one["entity"]) for one in copied["chunks"]] == [
        (one["start"], one["end"], one["text"], one["entity"]) for one in kept
    ]

    page.one("#copy-pubtator").click()
    page.wait(lambda: "as PubTator" in page.one("#summary").text)
    written = b"".join(pubtator([document_of(text, kept)])).decode()
    assert page.browser.execute_async_script(read) == written


def test_where_the_clipboard_is_closed_the_text_stands_selected(page, endpoint_url):
    page.open_tagger(endpoint_url).tag(TEXT)
    page.clipboard(endpoint_url, "denied")
    page.one("#copy-pubtator").click()
    page.wait(lambda: page.one("#copy-by-hand").is_displayed())
    assert page.one("#copy-by-hand").get_property("value").startswith("1|t|IL-2 mRNA in Jurkat cells.\n1|a|NF-kappa B")
    assert page.focused() == "copy-by-hand"
    selected = page.run(
        "const { value, selectionStart, selectionEnd } = document.activeElement;"
        "return value.length && selectionEnd - selectionStart === value.length"
    )
    assert selected
    assert "Ctrl+C" in page.one("#summary").text
    page.tag(TEXT)
    assert not page.one("#copy-by-hand").is_displayed()


def test_the_keyboard_is_enough(page, endpoint_url, pipeline):
    page.open_tagger(endpoint_url)
    chunks = pipeline.annotate(TEXT)
    for _ in range(20):
        page.press(Keys.TAB)
        if page.focused() == "input":
            break
    page.press(TEXT)
    ActionChains(page.browser).key_down(Keys.CONTROL).send_keys(Keys.ENTER).key_up(Keys.CONTROL).perform()
    page.wait(lambda: page.one("#status").text.startswith("Done"))
    assert page.one("#input").get_property("value") == TEXT
    reached = []
    for _ in range(20):
        page.press(Keys.TAB)
        reached.append(page.focused())
        if reached[-1] == chunks[0]["text"]:
            break
    assert reached[0] == "tag"
    assert reached[-4:] == ["threshold", "copy-json", "copy-pubtator", chunks[0]["text"]]
    assert page.one("#score").text == "RNA · score {score:.3f} · {start}–{end}".format(**chunks[0])

    page.press(Keys.ARROW_RIGHT)
    assert page.focused() == chunks[1]["text"]
    page.press(Keys.END)
    assert page.focused() == chunks[-1]["text"]
    assert page.one("tr.picked").text.startswith(chunks[-1]["text"])
    page.press(Keys.ESCAPE)
    assert not page.one("#score").is_displayed()
    page.press(Keys.ENTER)
    assert page.run("return document.activeElement.closest('tr').rowIndex") == len(chunks)
    page.press(Keys.ARROW_UP, Keys.ENTER)
    assert page.run("return document.activeElement.tagName") == "MARK"
    assert page.focused() == chunks[-2]["text"]
    page.press(Keys.TAB)  # the table is the next stop after all of the text
    assert page.run("return document.activeElement.closest('tr') !== null")


def test_the_score_shows_under_the_pointer(page, endpoint_url, pipeline):
    page.open_tagger(endpoint_url).tag(TEXT)
    chunks = pipeline.annotate(TEXT)
    mark = page.all("#text mark")[1]
    ActionChains(page.browser).move_to_element(mark).perform()
    assert f"score {chunks[1]['score']:.3f}" in page.one("#score").text
    assert mark.get_attribute("aria-label") == "Jurkat cells, cell line, score {:.3f}".format(chunks[1]["score"])
    ActionChains(page.browser).move_to_element(page.one("h1")).perform()
    assert not page.one("#score").is_displayed()


def test_examples_are_tagged_at_a_click(page, endpoint_url):
    page.open_tagger(endpoint_url)
    examples = page.all(".example")
    assert len(examples) >= 3
    for example in examples:
        example.click()
        wanted = example.get_attribute("value")
        page.wait(lambda text=wanted: page.one("#text").get_property("textContent") == text)
        assert len(page.marks()) > 5


def test_a_text_without_entities_says_so(page, endpoint_url):
    page.open_tagger(endpoint_url).tag("Nothing is here.")
    assert (page.one("#summary").text, page.rows(), page.marks()) == ("No entities in this text.", [], [])
    assert page.one("#status").text.startswith("Done: 0 entities")


def test_what_cannot_be_tagged_is_not_sent(page, page_with):
    url = page_with(lambda *_: pytest.fail("sent"))
    page.open_tagger(url)
    requests = page.requests()
    page.tag("  \n ")
    assert page.one("#problem").text == "Paste or write a text first."
    page.fill("😀" * 200_000)
    assert page.one("#count").text == "200,000 of 200,000 characters"
    page.tag("😀" * 200_001)
    assert page.one("#problem").text == "The text has 200,001 characters; the server takes 200,000. Shorten it."
    assert page.requests() == requests


def test_a_person_who_waits_is_told(page, page_with):
    go = threading.Event()

    def answer(_, body):
        go.wait(30)
        return 200, {}, tagged(json.loads(body)["text"])

    page.open_tagger(page_with(answer))
    page.fill("IL-2")
    page.one("#tag").click()
    page.one("#tag").click()
    try:
        assert page.one("#status").text == "Tagging 4 characters …"
        assert page.one("#status").get_attribute("role") == "status"
        assert page.one("#tag").get_attribute("aria-disabled") == "true"
    finally:
        go.set()
    page.wait(lambda: page.one("#status").text.startswith("Done"))
    assert page.one("#tag").get_attribute("aria-disabled") == "false"
    assert page.requests() == 2  # the model and one text


DETAIL = {"detail": "text: 101 characters, 100 are allowed"}
FIELDS = {"detail": [{"loc": ["body", "text"], "msg": "wrong"}, {"loc": ["body", "threshold"], "msg": "too large"}]}


@pytest.mark.parametrize(
    ("status", "headers", "body", "line"),
    [
        (429, {"Retry-After": "3"}, {}, "The server is busy. Try again in 3 seconds."),
        (503, {"Retry-After": "1"}, {}, "The server is busy. Try again in 1 second."),
        (503, {}, "<html>", "The server is busy. Try again in a moment."),
        (413, {}, DETAIL, "The text is too long for the server. text: 101 characters, 100 are allowed."),
        (422, {}, FIELDS, "The server answered with an error (422). body.text: wrong; body.threshold: too large."),
        (500, {}, "<b>oops</b>", "The server answered with an error (500)."),
        (200, {}, "<b>proxy</b>", "The server's answer cannot be read. Try again."),
        (200, {}, {"documents": []}, "The server's answer cannot be read. Try again."),
        (200, {}, tagged("", error="it has a lone surrogate"), "This text cannot be tagged: it has a lone surrogate"),
    ],
)
def test_an_error_is_one_line_and_the_next_try_works(failing, page_with, status, headers, body, line):
    answers = [(200, {}, tagged("IL-2", [chunk("IL-2", 0, 4)])), (status, headers, body)]
    page = failing.open_tagger(page_with(lambda *_: answers.pop()))
    page.tag("IL-2")
    assert page.one("#problem").text == line
    assert page.one("#problem").get_attribute("role") == "alert"
    page.tag("IL-2")
    assert (page.one("#problem").text, page.marks()) == ("", [["IL-2", "protein"]])


def test_a_server_that_is_gone_is_said(failing, page_with):
    page = failing.open_tagger(page_with(lambda *_: None))
    page.tag("IL-2")
    assert page.one("#problem").text == "The server cannot be reached. Check the connection, then try again."


def test_a_token_is_asked_for_and_kept_in_memory_alone(failing):
    seen = []

    def answer(path, headers, body):
        seen.append((path, headers.get("Authorization")))
        if headers.get("Authorization") != "Bearer s3cret":
            return 401, {"WWW-Authenticate": "Bearer"}, {"detail": "a token is needed"}
        return 200, {}, MODEL if path == "/v1/model" else tagged(json.loads(body)["text"], [chunk("IL-2", 0, 4)])

    with serving(answer) as url:
        page = failing.open(url)
        page.wait(lambda: page.one("#token").is_displayed())
        assert page.one("#problem").text == "The server asks for a token."
        assert page.focused() == "token"
        page.fill("IL-2")
        page.press("wrong", Keys.ENTER)
        page.wait(lambda: page.one("#problem").text == "The server does not take this token.")
        page.one("#token").clear()
        page.one("#token").send_keys("s3cret", Keys.ENTER)
        page.wait(page.marks)
        assert not page.one("#token").is_displayed()
        assert page.one("#problem").text == ""
        assert [token for _, token in seen] == [None, "Bearer wrong", "Bearer s3cret", "Bearer s3cret"]
        assert page.run("return [localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
        page.open(url)
        page.wait(lambda: page.one("#token").is_displayed())
        assert page.one("#token").get_property("value") == ""


def test_an_entity_of_another_model_has_a_colour_and_its_name(page, page_with):
    text = "BRCA1 in ink"
    chunks = [
        chunk(text, 0, 5, "Gene_or_product"),
        chunk(text, 9, 12, "ink", number=1),
    ]  # --ink is a colour of the page
    page.open_tagger(page_with(lambda *_: (200, {}, tagged(text, chunks)))).tag(text)
    assert page.one("#model").text == "Model: <b>m</b>"
    colours = page.run("return [...document.querySelectorAll('mark')].map(m => getComputedStyle(m).backgroundColor)")
    assert colours == ["rgb(227, 227, 211)"] * 2
    assert page.marks() == [["BRCA1", "Gene_or_product"], ["ink", "ink"]]
    assert page.type("Gene or product").text.endswith("1")


def test_a_long_text_with_thousands_of_entities_does_not_hang(page, page_with):
    text = ("\U0001d6fc-actin and IL-2 mRNA in Jurkat cells " * 3000)[:100_000]
    starts = range(0, 100_000 - 40, 38)
    chunks = [chunk(text, at, at + 7, LABELS[at % 5], (at % 100) / 100, number) for number, at in enumerate(starts)]
    assert len(chunks) > 2600
    page.open_tagger(page_with(lambda *_: (200, {}, tagged(text, chunks))))
    page.run(
        "window.slow = []; new PerformanceObserver((l) => window.slow.push(...l.getEntries().map((e) => e.duration)))"
        ".observe({type: 'longtask'})"
    )
    page.tag(text)
    assert page.marks() == [[one["text"], one["entity"]] for one in chunks]
    page.set_threshold(0.5)
    assert len(page.marks()) == sum(one["score"] >= 0.5 for one in chunks)
    assert max(page.run("return [0, ...window.slow]")) < 5000  # ms; some 400 where nothing else is going on
    page.set_threshold(0)
    assert len(page.rows()) == 500
    page.one("#all-rows").click()
    assert len(page.rows()) == len(chunks)


def test_a_narrow_window_needs_no_sideways_scrolling(page, endpoint_url):
    page.wide(360, 700)
    page.open_tagger(endpoint_url).tag(f"{TEXT} {'ACGT' * 300} {'tumor necrosis factor receptor ' * 3}mRNA")
    page.run("document.querySelector('mark').focus()")
    assert page.one("#score").is_displayed()
    assert page.run("const e = document.documentElement; return e.scrollWidth <= e.clientWidth")


def test_dark_mode_is_dark(page, endpoint_url):
    page.open_tagger(endpoint_url).tag(TEXT)
    colour = "return getComputedStyle(document.querySelector(arguments[0])).backgroundColor"
    assert page.run(colour, "body") == "rgb(255, 255, 255)"
    light = page.run(colour, "mark")
    page.scheme("dark")
    assert page.run(colour, "body") == "rgb(15, 20, 26)"
    assert page.run(colour, "mark") != light


def accessible(page):
    """What axe has to say against a page."""
    from axe_core_python.selenium import Axe

    found = Axe().run(page.browser)["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(page, endpoint_url, scheme):
    page.scheme(scheme)
    page.open_tagger(endpoint_url)
    assert accessible(page) == []
    page.tag(TEXT)
    page.run("document.querySelector('mark').focus()")
    page.run("document.getElementById('token-form').hidden = false")
    assert accessible(page) == []


@pytest.fixture(scope="module")
def viewer_url(tmp_path_factory, pipeline):
    """A page of documents, hostile ones among them, in a file."""
    texts = [("<script>alert(1)</script>", HOSTILE), ("b%|2", ASTRAL), ("c", TEXT), ("empty", "")]
    documents = [
        document_of(text, chunks).to_pylist()[0]
        | {"document_id": name, "source": "/home/me/a<b>.jsonl", "ordinal": number}
        for number, ((name, text), chunks) in enumerate(
            zip(texts, pipeline.annotate([t for _, t in texts]), strict=True)
        )
    ]
    bad = {"document_id": "bad", "text": "", "sentences": [], "chunks": [], "error": "line 5 is <b>not</b> JSON"}
    documents.append(documents[0] | bad)
    path = tmp_path_factory.mktemp("viewer") / "a page.html"
    pieces = viewer_page(documents, name="</title><script>alert(2)</script>", shown=5, total=1200)
    path.write_text("".join(pieces), encoding="utf-8")
    return path.as_uri()


def test_the_viewer_shows_each_document(page, viewer_url, pipeline):
    page.open(viewer_url)
    assert page.browser.title == "</title><script>alert(2)</script> – cytotag"
    assert "first 5 of 1,200 documents" in page.one("header").text
    assert [link.text.split("\n")[0] for link in page.all("#list a")] == [
        "<script>alert(1)</script>", "b%|2", "c", "empty", "bad",
    ]  # fmt: skip
    for text in (HOSTILE, ASTRAL, TEXT):
        expected = pipeline.annotate(text)
        assert page.one("#text").get_property("textContent") == text
        assert page.marks() == [[one["text"], one["entity"]] for one in expected]
        page.one("#next").click()
        page.wait(lambda text=text: page.one("#text").get_property("textContent") != text)
    assert page.one("#summary").text == "No entities in this text."
    page.one("#next").click()
    page.wait(lambda: page.one("#error").is_displayed())
    assert page.one("#error").text == "Not tagged: line 5 is <b>not</b> JSON"
    assert not page.one("#panel").is_displayed()
    assert page.one("#source").text == "Record 1 of a<b>.jsonl"
    page.one("#next").click()  # there is none
    page.browser.back()
    page.wait(lambda: page.one("#document-id").text == "empty")
    assert page.run("return document.querySelectorAll('script, img').length") == 2
    assert page.hosts() == set()


def test_the_viewer_finds_documents_and_goes_to_them_with_the_keyboard(page, viewer_url):
    page.open(viewer_url)
    page.one("#filter").send_keys("JURKAT cells")
    assert page.one("#matching").text == "3 of 5 documents"
    page.press(Keys.TAB, Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER)
    page.wait(lambda: page.one("#document-id").text == "c")
    assert page.one("a[aria-current]").text.startswith("c\n")
    page.one("#filter").clear()
    page.one("#filter").send_keys("b%|2")
    assert page.one("#matching").text == "1 of 5 documents"
    page.one("#previous").click()
    page.wait(lambda: page.one("#document-id").text == "b%|2")
    page.one("#filter").clear()
    page.one("#filter").send_keys("nowhere")
    assert page.one("#matching").text == "0 of 5 documents"


def test_the_viewers_filters_hold_for_all_documents(page, viewer_url, pipeline):
    page.open(f"{viewer_url}#3")
    assert page.one("#document-id").text == "c"
    page.type("RNA").click()
    page.next_frame()
    kept = [one for one in pipeline.annotate(TEXT) if one["entity"] != "RNA"]
    assert page.all("#list a")[2].text.split("\n")[1] == f"{len(kept)} entities"
    page.one("#previous").click()
    page.wait(lambda: page.one("#document-id").text == "b%|2")
    assert page.marks()
    assert "RNA" not in dict(page.marks()).values()


def test_the_viewer_copies_ids_that_pubtator_can_hold(page, viewer_url):
    page.open(f"{viewer_url}#2")
    page.run("Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # as where a page came over http
    page.one("#copy-pubtator").click()
    page.wait(lambda: page.one("#copy-by-hand").is_displayed())
    assert page.one("#copy-by-hand").get_property("value").startswith("b%25%7C2|t|😀")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_viewer_is_accessible_and_fits(page, viewer_url, scheme, width):
    page.wide(width)
    page.scheme(scheme)
    page.open(viewer_url)
    assert accessible(page) == []
    assert page.run("const e = document.documentElement; return e.scrollWidth <= e.clientWidth")
