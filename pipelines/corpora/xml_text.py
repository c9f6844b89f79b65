"""The text of an XML element with inline markup, as articles and abstracts have it."""

import re
from collections.abc import Iterable

from lxml import etree

MATH = "{http://www.w3.org/1998/Math/MathML}math"

_WHITE_SPACE = re.compile("[ \t\r\n]+")


def element_text(element: etree._Element) -> str:
    """The text in the element without its markup."""
    parts: list[str] = []
    _collect_text(element, parts)
    return tidy(parts)


def tidy(parts: Iterable[str]) -> str:
    """Joins the parts; runs of XML white space become one space, and none stands at the ends. All else is kept."""
    return _WHITE_SPACE.sub(" ", "".join(parts)).strip(" ")


def math_text(element: etree._Element) -> str:
    """The text of MathML; the white space in there is the layout of the XML."""
    return "".join(_WHITE_SPACE.sub("", text) for text in element.itertext())


def _collect_text(element: etree._Element, parts: list[str]) -> None:
    """Appends the text in the element. Its depth, and so that of the recursion, is at most 256 in libxml2."""
    if element.tag == MATH:
        parts.append(math_text(element))
        return
    parts.append(element.text or "")
    for child in element:
        _collect_text(child, parts)
        parts.append(child.tail or "")
