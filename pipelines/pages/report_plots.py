"""The plots of a report: SVG for a page, in the page's own colours, light or dark; text stays text."""

import contextlib
import io
import re
import unicodedata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from lxml import etree
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pipelines.chunk_statistics import SCORE_BINS, EntityStatistics
from pipelines.pages.page import COLOURED
from pipelines.run_times import Stretch, pauses

ENTITIES_SHOWN = 12
STRETCHES_SHOWN = 12
BARS = 25
"""In a histogram, at most; the last holds all that is larger."""

WIDTH = 6.2
"""Inches, of 72 units of the page each: text is as large as that around it."""

_INK, _FAINT, _LINE, _BAR = "#010203", "#010204", "#010205", "#010206"
_VARIABLES = {_INK: "ink", _FAINT: "faint", _LINE: "line", _BAR: "accent"}
_OTHER = "#010207"
_KNOWN = {entity: f"#0102{number:02x}" for number, entity in enumerate(COLOURED, start=8)}
_VARIABLES |= {colour: entity for entity, colour in _KNOWN.items()} | {_OTHER: "other"}
"""Colours that the plots are drawn with, and the variables of style.css that take their place."""

_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # a `$` in a name is one
    "font.size": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _FAINT,
    "text.color": _INK,
    "xtick.color": _FAINT,
    "ytick.color": _FAINT,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "patch.linewidth": 0.8,
}
_FONT = re.compile(r"font(?:-size)?: ([\d.]+px)(?:; font-family:)?[^;]*;?\s*")
_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"


def entity_plot(entities: Sequence[EntityStatistics]) -> Markup:
    """Chunks by entity, a bar each."""
    shown = entities[:ENTITIES_SHOWN]
    with _figure(0.36 * len(shown) + 0.3) as (figure, axes):
        names, counts = [_label(one.entity) for one in shown], [one.count for one in shown]
        bars = axes.barh(range(len(shown)), counts, color=[_colour(one.entity) for one in shown], edgecolor=_FAINT)
        axes.bar_label(bars, [f"{count:,}" for count in counts], padding=4)
        axes.set_yticks(range(len(shown)), names)
        axes.invert_yaxis()
        axes.margins(x=0.14)
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        text = ", ".join(f"{one.entity} {one.count:,}" for one in shown)
        return _svg(figure, "entities", "Entities by type", text)


def score_plot(entities: Sequence[EntityStatistics]) -> Markup:
    """How the scores of each entity are distributed, one above the other, each as high as its highest bar."""
    shown = entities[:ENTITIES_SHOWN]
    with _figure(0.55 * len(shown) + 0.6) as (figure, axes):
        edges = [number / SCORE_BINS for number in range(SCORE_BINS + 1)]
        for row, one in enumerate(shown):
            base = len(shown) - 1 - row
            heights = [base + 0.85 * count / max(one.scores) for count in one.scores]
            axes.stairs(heights, edges, baseline=base, fill=True, color=_colour(one.entity))
            axes.stairs(heights, edges, baseline=base, color=_FAINT, linewidth=0.8)
        axes.set_yticks([len(shown) - 1 - row + 0.3 for row in range(len(shown))], [_label(o.entity) for o in shown])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(0, 1)
        axes.set_ylim(-0.02, len(shown))
        axes.set_xlabel("score")
        text = ", ".join(f"{one.entity} {one.mean_score:.3f}" for one in shown)
        return _svg(figure, "scores", "Scores by type", f"Distribution of scores; mean scores: {text}")


def chunks_plot(chunks_per_document: Mapping[int, int]) -> Markup:
    """How many documents have so many chunks."""
    step, heights = binned(chunks_per_document)
    with _figure(2.5) as (figure, axes):
        axes.bar([number * step + step / 2 for number in range(len(heights))], heights, width=step, color=_BAR)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        _thousands(axes, whole=True)
        axes.set_xlim(0, len(heights) * step)
        more = max(chunks_per_document) >= len(heights) * step
        last = f"; the last bar: {(len(heights) - 1) * step:,} and more" if more else ""
        axes.set_xlabel(f"entities in a document{last}")
        axes.set_ylabel("documents")
        text = f"From {min(chunks_per_document):,} to {max(chunks_per_document):,} entities in a document."
        return _svg(figure, "chunks", "Entities per document", text)


def binned(numbers: Mapping[int, int]) -> tuple[int, list[int]]:
    """The width of the bins, and how many are in each; the last also holds the largest hundredth, however large.

    Args:
        numbers: How many there are of each size, by size, ascending; not empty.
    """
    total, so_far, large = sum(numbers.values()), 0, 0
    for size, count in numbers.items():
        so_far, large = so_far + count, size
        if so_far >= 0.99 * total:
            break
    step = large // BARS + 1
    bins = [0] * (large // step + 1)
    for size, count in numbers.items():
        bins[min(size // step, len(bins) - 1)] += count
    return step, bins


def rate_plot(stretches: Sequence[Stretch]) -> Markup:
    """Documents/s over time, stretch after stretch, the pauses between them as lines."""
    shown = [one for one in stretches if one.rates][-STRETCHES_SHOWN:]
    unit, seconds = _unit(sum(one.ended - one.began for one in shown))
    with _figure(2.5) as (figure, axes):
        start = 0.0
        for one, pause in zip(shown, [*pauses(shown), None], strict=True):
            length = (one.ended - one.began) / seconds
            edges = [start + length * number / len(one.rates) for number in range(len(one.rates) + 1)]
            axes.stairs(one.rates, edges, fill=True, color=_BAR, alpha=0.35)
            axes.stairs(one.rates, edges, baseline=None, color=_BAR, linewidth=1.6)
            start += length
            if pause is not None:
                axes.axvline(start, color=_INK, linestyle=(0, (3, 3)), linewidth=1)
                label = f"{duration(pause)} later"
                axes.annotate(label, (start, 1), xycoords=("data", "axes fraction"), va="bottom", ha="center", size=10)
        axes.set_xlim(0, start)
        axes.set_ylim(bottom=0)
        _thousands(axes)
        axes.set_xlabel(f"{unit} of tagging" if len(shown) > 1 else f"{unit} since the first part")
        axes.set_ylabel("documents/s")
        rates = [rate for one in shown for rate in one.rates]
        return _svg(
            figure, "rates", "Documents/s over time", f"From {min(rates):,.1f} to {max(rates):,.1f} documents/s."
        )


def duration(seconds: float) -> str:
    """A length of time in the two largest units that it has: `2 d 3 h`, `4 min 10 s`, `28.4 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    rest = round(seconds)
    parts: list[str] = []
    for name, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        number, rest = divmod(rest, size)
        if number or parts:
            parts.append(f"{number:,} {name}" if number else "")
    return " ".join(part for part in parts[:2] if part)


def _unit(seconds: float) -> tuple[str, float]:
    """The unit for an axis of so many seconds, and the seconds in it."""
    units = (("seconds", 1, 180), ("minutes", 60, 180 * 60), ("hours", 3600, 72 * 3600))
    return next(((name, size) for name, size, most in units if seconds < most), ("days", 86_400))


@contextlib.contextmanager
def _figure(height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure of this height, in inches, and its axes."""
    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # the reader's browser has a font for it
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure, figure.add_subplot()


def _thousands(axes: Axes, *, whole: bool = False) -> None:
    """Few lines along the y axis, at numbers of few digits; `whole`: at whole numbers only."""
    axes.yaxis.set_major_locator(MaxNLocator(nbins=5, min_n_ticks=1, integer=whole))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.grid(axis="y", color=_LINE, linewidth=0.8)
    axes.set_axisbelow(True)


def _label(name: str, length: int = 24) -> str:
    """A name as a label; what XML has no place for is left out."""
    shown = "".join(character for character in name if unicodedata.category(character)[0] != "C")
    return shown if len(shown) <= length else f"{shown[: length - 1]}…"


def _colour(entity: str) -> str:
    return _KNOWN.get(entity, _OTHER)


def _svg(figure: Figure, name: str, title: str, description: str) -> Markup:
    """The figure as an element of a page: no ids but those that are needed, which no other plot of the page has."""
    file = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    root = etree.fromstring(file.getvalue())
    for element in [*root.iter(f"{_SVG}metadata", f"{_SVG}style")]:
        element.getparent().remove(element)
    used = set(re.findall(r"url\(#([^)]+)\)", " ".join(root.xpath("//@clip-path"))))
    used |= {link.removeprefix("#") for link in root.xpath("//@*[local-name()='href']")}
    for element in root.iter(etree.Element):
        _fit(element, name, used)
    for attribute in ("width", "height"):
        root.attrib.pop(attribute)
    root.attrib.update({"role": "img", "aria-labelledby": f"{name}-title {name}-text"})
    for place, (kind, text) in enumerate({"title": title, "desc": description}.items()):
        element = etree.Element(f"{_SVG}{kind}", id=f"{name}-{'title' if kind == 'title' else 'text'}")
        element.text = _label(text, 2_000)
        root.insert(place, element)
    etree.cleanup_namespaces(root)
    return Markup(etree.tostring(root, encoding="unicode"))  # noqa: S704  # an element tree, written as one


def _fit(element: Any, name: str, used: set[str]) -> None:
    """Gives one element ids, references, colours and the font of the page."""
    if (key := element.attrib.pop("id", None)) in used:
        element.set("id", f"{name}-{key}")
    if link := element.get(_LINK):
        element.set(_LINK, f"#{name}-{link[1:]}")
    if clip := element.get("clip-path"):
        element.set("clip-path", clip.replace("#", f"#{name}-"))
    if style := element.get("style"):
        for colour, variable in _VARIABLES.items():
            style = style.replace(colour, f"var(--{variable})")
        element.set("style", _FONT.sub(r"font-size: \1; ", style))
