"""What of a JATS article is its text."""

from lxml import etree

from pipelines.corpora.xml_text import MATH, math_text, tidy

_SECTIONS = frozenset({"sec", "app", "boxed-text"})
_CONTAINERS = frozenset({
    "abstract", "body", "app-group", "floats-group", "fig-group", "table-wrap-group", "caption", "list",
    "list-item", "def-list", "def-item", "def", "disp-quote", "statement", "speech", "verse-group",
})  # fmt: skip
"""Their text is in what they contain."""
_FLOATS = frozenset({"fig", "table-wrap", "supplementary-material", "media"})
"""Of these the caption is read, and nothing else."""
_AFTER_THE_PARAGRAPH = _FLOATS | {"fig-group", "table-wrap-group", "boxed-text", "fn"}
"""Such may stand in the middle of a sentence."""
_LINES = frozenset({"p", "title"})
_LEFT_OUT = frozenset({
    "label", "tex-math", "graphic", "inline-graphic", "inline-media", "alt-text", "long-desc", "object-id",
    "table", "table-wrap-foot", "ref-list", "ref", "permissions", "attrib", "index-term", "sec-meta",
    "private-char", "processing-meta", "related-article", "related-object",
})  # fmt: skip
_NOTES = frozenset({"bibr", "fn", "table-fn"})
_LABEL_CHARACTERS = 200
"""Of a section's title in a label, which is repeated for each line in the section."""


class ArticlePassages:
    r"""The passages of an article, in document order: title, abstracts, body, captions of floats, appendices.

    A title of a section, a paragraph and a paragraph of a caption are a line each; a figure or footnote that stands in
    a paragraph comes after it. Inline markup is dropped and its text kept, with white space as in PubMed's abstracts.

    Left out, with what speaks against it:

    - cells and footnotes of tables: no sentences, and the model knows words by their sentence;
    - references, acknowledgements, funding: they name genes that the study is not about, or people;
    - numbers of sections and figures ("2.1", "Figure 3"): nothing is lost, and each would be a sentence;
    - reference numbers set as superscripts: "IL-2" before reference 12 would read "IL-212". Those in brackets stay;
    - the title of an abstract or of its sections, which are in the labels, as for PubMed;
    - of the alternatives of a formula all but MathML, or the first that is text; LaTeX always: it is a program;
    - translated abstracts, and sub-articles (reviews, replies, translations), which have authors of their own.

    Attributes:
        lines: (label, text); see `read_jats`.
    """

    def __init__(self, article: etree._Element) -> None:
        self.lines: list[tuple[str, str]] = []
        for title in article.iterfind("front/article-meta/title-group/article-title"):
            self._paragraph(title, "")
        for abstract in article.iterfind("front/article-meta/abstract"):
            kind = abstract.get("abstract-type", "abstract")
            self._section(abstract, "", kind, with_title=False)
        for path in ("body", "back/*", "floats-group"):
            for part in article.iterfind(path):
                if path != "back/*" or part.tag in ("app", "app-group"):
                    self._block(part, "")

    def _block(self, element: etree._Element, label: str, *, with_title: bool = True) -> None:
        """Adds the lines of anything that is not part of a line."""
        tag = element.tag
        if tag in _SECTIONS:
            self._section(element, label, element.get("sec-type", ""), with_title=with_title)
        elif tag in _FLOATS:
            for caption in element.iterfind("caption"):
                self._block(caption, label)
        elif tag in _CONTAINERS:
            for child in element:
                self._block(child, label, with_title=with_title)
        elif tag not in _LEFT_OUT and (with_title or tag != "title"):
            self._paragraph(element, label)

    def _section(self, element: etree._Element, outer: str, kind: str, *, with_title: bool) -> None:
        title = element.find("title")
        own = tidy(title.itertext())[:_LABEL_CHARACTERS] if title is not None else ""
        label = " > ".join(filter(None, [outer, own or kind]))
        for child in element:
            self._block(child, label, with_title=with_title)

    def _paragraph(self, element: etree._Element, label: str) -> None:
        parts: list[str] = []
        later: list[etree._Element] = []
        self._inline(element, label, parts, later)
        self._end_line(label, parts)
        for floating in later:
            self._block(floating, label)

    def _inline(self, element: etree._Element, label: str, parts: list[str], later: list[etree._Element]) -> None:
        """Collects the text of a line. The depth, and so that of the recursion, is at most 256 in libxml2."""
        if element.text:
            parts.append(element.text)
        for child in element:
            self._inline_child(child, label, parts, later)
            if child.tail:
                parts.append(child.tail)

    def _inline_child(self, child: etree._Element, label: str, parts: list[str], later: list[etree._Element]) -> None:
        tag = child.tag
        if tag in _LEFT_OUT or _is_reference_number(child, parts):
            return
        if tag == MATH:
            parts.append(math_text(child))
        elif tag == "alternatives":
            shown = [alternative for alternative in child if alternative.tag not in _LEFT_OUT]
            if shown:
                self._inline_child(next((a for a in shown if a.tag == MATH), shown[0]), label, parts, later)
        elif tag in _AFTER_THE_PARAGRAPH:
            later.append(child)
        elif tag in _CONTAINERS or tag in _LINES:
            self._end_line(label, parts)
            self._block(child, label)
        elif tag == "break":
            parts.append(" ")
        else:
            self._inline(child, label, parts, later)

    def _end_line(self, label: str, parts: list[str]) -> None:
        if text := tidy(parts):
            self.lines.append((label, text))
        parts.clear()


def _is_reference_number(element: etree._Element, before: list[str]) -> bool:
    """Whether the element is a superscript that refers to the references or to a footnote.

    It is a <sup> that holds links and what separates them, a link that holds a <sup>, or a bare number that is linked
    to a reference and stands right behind a word; the journal's style makes it a superscript.
    """
    if element.tag == "sup":
        links = [child for child in element if child.tag == "xref"]
        between = "".join([element.text or "", *(child.tail or "" for child in element)])
        return bool(links) and len(links) == len(element) and not between.strip(" ,;\u2013\u2212-\t\r\n")
    if element.tag != "xref" or element.get("ref-type") not in _NOTES:
        return False
    if len(element) == 1 and element[0].tag == "sup":
        return not (element.text or "").strip() and not (element[0].tail or "").strip()
    if element.get("ref-type") != "bibr" or len(element) or not (element.text or "").strip().isdecimal():
        return False
    last = before[-1][-1:] if before else " "
    return last.isalnum() or last in {".", ")"}
