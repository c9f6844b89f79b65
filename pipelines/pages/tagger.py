"""The page of the endpoint: paste a text, see what is found in it."""

from pipelines.pages.example_texts import EXAMPLE_TEXTS
from pipelines.pages.page import render

SCRIPTS = ("highlighting.js", "copying.js", "result_panel.js", "tagger.js")


def tagger_page() -> str:
    """The page (HTML). What depends on the server it asks of it when it loads, at `v1/model` beside its own address."""
    return render("tagger.html", scripts=SCRIPTS, connect=True, examples=EXAMPLE_TEXTS)
