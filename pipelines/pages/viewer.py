"""The page of `cytotag view`: documents and their entities in one file."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from markupsafe import Markup

from pipelines.pages.page import render

SCRIPTS = ("highlighting.js", "copying.js", "result_panel.js", "viewer.js")

_PLACE = "<documents>"
"""Where the documents come. Nothing else in the page can look so: what is filled in is escaped."""


def viewer_page(documents: Iterable[Mapping[str, Any]], *, name: str, shown: int, total: int) -> Iterator[str]:
    """The page (HTML), piece by piece; one document stands in memory.

    Args:
        documents: `document_id`, `source`, `ordinal`, `text`, `sentences`, `chunks` and `error`, as in DOCUMENT_ROW,
            `text` never None. More than these does not get into the page, and of the source its file name only.
        name: Of the dataset.
        shown: How many documents these are.
        total: How many the dataset has.
    """
    extent = f"{total:,} document{'s' * (total != 1)}"
    if shown < total:
        extent = f"The first {shown:,} of {extent}; cytotag view --limit shows more."
    page = render("viewer.html", scripts=SCRIPTS, name=name, extent=extent, documents=Markup(_PLACE))  # noqa: S704
    head, tail = page.split(_PLACE)
    yield head
    for number, document in enumerate(documents):
        yield "\n" * bool(number) + _line(document)
    yield tail


def _line(document: Mapping[str, Any]) -> str:
    """A document as a line of JSON that cannot end the script element it stands in; scores have six decimals."""
    wanted = {key: document[key] for key in ("document_id", "ordinal", "text", "sentences", "error")}
    wanted["source"] = document["source"].rpartition("/")[2]
    wanted["chunks"] = [chunk | {"score": round(chunk["score"], 6)} for chunk in document["chunks"]]
    return json.dumps(wanted, ensure_ascii=False).replace("<", "\\u003c")
