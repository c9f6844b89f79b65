r"""Sentence boundaries in biomedical text, by rule.

A text is cut twice. First into passages: a hard line end (`\n`, `\r`, U+2028, U+2029) always ends a sentence, and so
does a custom bound. Then each passage is cut at its stops (`.`, `?`, `!`) outside brackets, by `_RULES`: questions on
a stop, the first answered yes decides. To extend them, add a word to a list or a question to the table, and a test.

In doubt the rules join: two sentences left together cost the tagger a longer window, a cut in an entity the entity.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from pipelines.schema import DOCUMENT, SENTENCE


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The words stand without their final full stop and match as they stand, case included.
# Something always follows these in the same sentence.
_NEVER_FINAL = _words("""
    e.g i.e eg ie E.g I.e vs viz cf Cf approx ca resp incl Fig Figs fig figs FIG Eq Eqs eq eqs Suppl suppl
    Dr Drs Prof Mr Mrs Ms St var subsp ssp ser serov pv bv cv gen nov
""")
# Before a number these are abbreviations, elsewhere words or amino acids: "no. 5" but "answered no. The".
_BEFORE_NUMBER = _words("no No nos Nos p pp vol Vol ref Ref refs Refs tab Tab ch Ch sect Sect Ser Thr Tyr Cys Lys Arg")
# These may stand last, but a capital after them is rather a name: "et al. Nature", "Mol. Cell. Biol.", "Inc. Madison".
_SELDOM_FINAL = _words("""
    al sp spp etc Inc Ltd Co Corp Acad Acta Am Ann Annu Appl Arch Biochem Biol Biophys Br Cell Chem Clin Commun Curr Dev
    Engl Eur Exp Genet Immunol Int Lett Med Mol Nat Natl Opin Pathol Pharmacol Physiol Proc Res Rev Sci Soc Virol
""")
# A lone capital after a noun with one of these endings is its name: "hepatitis B", "interdomain B", not "J. B. Smith".
_LETTERED = _words("""
    alpha beta gamma kappa hepatitis influenza vitamin cyclosporin cyclosporine amphotericin actinomycin mitomycin
    trichostatin kinase phospholipase immunoglobulin factor protein class group type domain form region site box strain
    segment subunit band phase grade
""")
# Words that seldom have a capital inside a sentence, so that one of them shows a sentence to begin.
_OPENERS = _words("""
    A All An Another Any Both Each Either Every Few Many Most Neither None One Other Several Some Such The That These
    This Those Three Two He Here How I It Its Our She Their There They We What Who
    After Although Among As At Because Before Between But By Despite During Following For From If In On Of Over Since
    Through To Under Unlike Until Upon Using When Whereas Whether Which While With Within Without
    Additionally Again Also And Consequently Conversely Finally First Further Furthermore Hence However Importantly
    Indeed Interestingly Moreover Nevertheless Next Not Now Previously Recently Second Similarly So Subsequently
    Surprisingly Taken Then Therefore Third Thus Together Yet
""")

_HARD_LINE_END = "[\n\r\u2028\u2029]"
_JOINED_OPENER = "|".join(sorted(_OPENERS - {"A", "I"}))  # a lone letter is more often part of a name
# A run of stops, the closers that belong to its sentence, and the gap: white space or, where that was lost
# ("cells.The"), nothing before an opener or MEDLINE's own note. Possessive quantifiers keep long runs linear.
_STOP = re.compile(
    rf"""[.?!](?<![.?!].)[.?!]*+["'”’»)\]}}]*+
    (?P<gap> \s++ | (?<=[a-z)\]]\.)(?=(?:{_JOINED_OPENER})\b) | (?=\(ABSTRACT[ ]TRUNCATED) )""",
    re.VERBOSE,
)
_BRACKET = re.compile(r"[()\[\]{}]")
_WORD_BREAK = re.compile(r"""[\s()\[\]{},;:"'“”‘’«»]+""")
_NEXT_WORD = re.compile(r"""[\s("'“‘«\[{]*(\S*)""")
_LIST_ITEM = re.compile(r"\(?(?:[ivx]{1,5}|[a-h]|[0-9]{1,2})\)\s")
_LIST_NUMBER = re.compile(r"[0-9]{1,2}|[IVX]{1,4}|[ivx]{1,4}")
_LETTERED_NOUN = re.compile(rf"(?:{'|'.join(sorted(_LETTERED))})s?\Z", re.IGNORECASE)
_DOTTED = re.compile(r"(?:[A-Za-z]{1,2}\.)+[A-Za-z]{1,2}")
_GENE_SYMBOL = re.compile(r"[a-z]{1,6}-?[A-Z0-9]|[a-z]-[a-z]|[α-ω]")  # p53, mRNA, c-Myc, il-2, v-src, α-actin

_IN_SIGHT = 40  # characters on each side of a stop that the rules see: what keeps the work a stop constant
_LONGEST_ASIDE = 1000  # characters; brackets further apart are no pair but two slips of the pen


class _Stop(NamedTuple):
    """What can be seen round a stop, and the questions to ask about it."""

    words: list[str]  # before it, in its sentence; the last touches it, and is empty where a bracket or quote does
    following: str  # from the first character on of what would be the next sentence
    next_word: str  # the first word of that, without opening brackets and quotation marks
    abbreviations: frozenset[str]  # the user's own

    def after_abbreviation(self) -> bool:
        return self.words[-1] in _NEVER_FINAL or self.words[-1] in self.abbreviations

    def after_abbreviation_before_number(self) -> bool:
        return self.words[-1] in _BEFORE_NUMBER and self.next_word[:1].isdigit()

    def after_abbreviation_before_name(self) -> bool:
        return self.words[-1] in _SELDOM_FINAL and not self.before_opener()

    def after_dotted_abbreviation(self) -> bool:
        """Tell "i.v. 5 mg" and "U.S. Army" from "i.v. Mice" and "U.S. The"."""
        word = self.words[-1]
        if "." not in word or not _DOTTED.fullmatch(word):
            return False
        return not (self.before_opener() or (word.islower() and self.next_word[:1].isupper()))

    def after_initial(self) -> bool:
        """Tell "J. M. Smith" and "S. Typhimurium" from "hepatitis B. Patients" and "domains A and B. Domain B"."""
        *before, letter = self.words
        if len(letter) != 1 or not letter.isupper() or self.before_opener():
            return False
        noun = next((word for word in reversed(before) if len(word) > 1 and word not in ("and", "or")), "")
        return not _LETTERED_NOUN.search(noun)

    def after_list_number(self) -> bool:
        """Tell the "2." that opens "2. Danazol bound to ..." from the one that ends "... shown in Table 2."."""
        return len(self.words) == 1 and _LIST_NUMBER.fullmatch(self.words[0]) is not None

    def before_list_item(self) -> bool:
        return _LIST_ITEM.match(self.following) is not None

    def before_gene_symbol(self) -> bool:
        return _GENE_SYMBOL.match(self.next_word) is not None

    def before_lower_case(self) -> bool:
        return self.next_word[:1].islower()

    def before_opener(self) -> bool:
        return self.next_word.rstrip(",:") in _OPENERS


# The first question answered yes decides whether the stop ends its sentence. It does where none is.
_RULES: tuple[tuple[Callable[[_Stop], bool], bool], ...] = (
    (_Stop.after_abbreviation, False),
    (_Stop.after_abbreviation_before_number, False),
    (_Stop.after_abbreviation_before_name, False),
    (_Stop.after_dotted_abbreviation, False),
    (_Stop.after_initial, False),
    (_Stop.after_list_number, False),
    (_Stop.before_list_item, True),
    (_Stop.before_gene_symbol, True),
    (_Stop.before_lower_case, False),
)


def _bracket_pairs(passage: str) -> list[tuple[int, int]]:
    """Return the brackets closed by their own kind, in the order they open: a bracket left open hides no stop."""
    pairs = []
    unclosed: list[tuple[int, str]] = []
    for bracket in _BRACKET.finditer(passage):
        if bracket[0] in "([{":
            unclosed.append((bracket.start(), bracket[0]))
        elif unclosed and unclosed[-1][1] + bracket[0] in ("()", "[]", "{}"):
            opened_at, _ = unclosed.pop()
            if bracket.start() - opened_at <= _LONGEST_ASIDE:
                pairs.append((opened_at, bracket.start()))
    return sorted(pairs)


def _cut_at_stops(passage: str, abbreviations: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yield the sentences of a passage that has no white space round it."""
    pairs = _bracket_pairs(passage)
    next_pair = start = closed_at = 0
    for match in _STOP.finditer(passage):
        mark, end, next_start = match.start(), match.start("gap"), match.end()
        while next_pair < len(pairs) and pairs[next_pair][0] < mark:
            closed_at = max(closed_at, pairs[next_pair][1])
            next_pair += 1
        if end <= closed_at:
            continue
        following = passage[next_start : next_start + _IN_SIGHT]
        next_word = _NEXT_WORD.match(following)
        stop = _Stop(
            words=_WORD_BREAK.split(passage[max(start, mark - _IN_SIGHT) : mark]),
            following=following,
            next_word=next_word[1] if next_word else "",
            abbreviations=abbreviations,
        )
        if next((ends for applies, ends in _RULES if applies(stop)), True):
            yield start, end
            start = next_start
    yield start, len(passage)


@lru_cache(maxsize=64)
def _passage_end(custom_bounds: tuple[str, ...], use_custom_bounds_only: bool) -> re.Pattern[str]:
    ends = [re.escape(bound) for bound in sorted(custom_bounds, key=len, reverse=True)]  # the longest wins
    if not use_custom_bounds_only:
        ends.append(_HARD_LINE_END)
    return re.compile("|".join(ends) or "(?!)")  # which matches nowhere


def detect_sentences(
    text: str,
    *,
    custom_bounds: tuple[str, ...] = (),
    use_custom_bounds_only: bool = False,
    abbreviations: frozenset[str] = frozenset(),
) -> list[tuple[int, int]]:
    """Find the sentences of a text, in time linear in its length.

    Nothing is lost: the spans are in order, not empty and do not overlap, and between them is white space only.

    Args:
        text: Any text; of a document the whole, its title and sections on lines of their own.
        custom_bounds: Literal strings that also end a sentence, and belong to it.
        use_custom_bounds_only: Whether these alone end a sentence, neither stops nor line ends.
        abbreviations: Words besides the built-in ones after which a full stop ends no sentence; written without it, and
            matched as they stand, case included.

    Returns:
        Half-open code-point offsets `(start, end)` into `text`.
    """
    spans: list[tuple[int, int]] = []
    start = 0
    passage_ends = (match.end() for match in _passage_end(custom_bounds, use_custom_bounds_only).finditer(text))
    for end in chain(passage_ends, (len(text),)):
        passage = text[start:end].lstrip()
        offset = end - len(passage)
        passage = passage.rstrip()
        if passage:
            cuts = ((0, len(passage)),) if use_custom_bounds_only else _cut_at_stops(passage, abbreviations)
            spans.extend((offset + first, offset + last) for first, last in cuts)
        start = end
    return spans


def _problem_of_given(text: str, spans: list[dict[str, int]] | None) -> str | None:
    """Return what is wrong with the sentences that came with a document, or None."""
    if spans is None:
        return "given sentences are null"
    reached = 0
    for number, span in enumerate(spans):
        if not (span and None not in span.values() and reached <= span["start"] < span["end"] <= len(text)):
            return (
                f"given sentence {number} is {span}: null, empty, not inside the text of {len(text)} characters, "
                f"or begun before the one before it ended at {reached}"
            )
        reached = span["end"]
    return None


@dataclass(frozen=True, kw_only=True)
class SentenceDetector:
    """Adds the spans of its sentences to every document: DOCUMENT -> SENTENCE.

    A document without text, or with `error` set, gets no sentences.

    After `SentenceDetector` and `SentenceDetectorDLModel` of Spark NLP, whose option names it keeps. It differs: a line
    end always ends a sentence; custom bounds stay in the text; nothing is dropped, exploded or cut to a length.

    Attributes:
        strategy: "rules" detects sentences; "none" takes the whole text, trimmed, as one; "given" keeps those of the
            incoming column `sentences`. They need not cover the text, and what lies outside is not tagged; a row whose
            spans are out of bounds, empty, out of order or overlapping gets an `error` and no sentences.
        custom_bounds, use_custom_bounds_only, abbreviations: See `detect_sentences`.
    """

    strategy: Literal["rules", "none", "given"] = "rules"
    custom_bounds: tuple[str, ...] = ()
    use_custom_bounds_only: bool = False
    abbreviations: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.strategy not in ("rules", "none", "given"):
            raise ValueError(f"strategy must be 'rules', 'none' or 'given', not {self.strategy!r}")
        if self.strategy != "rules" and (self.custom_bounds or self.use_custom_bounds_only or self.abbreviations):
            raise ValueError(f"strategy {self.strategy!r} takes no custom_bounds and no abbreviations")
        if not isinstance(self.custom_bounds, tuple) or not all(self.custom_bounds):
            raise ValueError(f"custom_bounds must be a tuple of strings that are not empty, not {self.custom_bounds!r}")
        if self.use_custom_bounds_only and not self.custom_bounds:
            raise ValueError("use_custom_bounds_only needs custom_bounds")
        if not isinstance(self.abbreviations, frozenset):
            raise ValueError(f"abbreviations must be a frozenset of strings, not {self.abbreviations!r}")
        for word in self.abbreviations:
            if not word or word[-1] in ".?!" or _WORD_BREAK.search(word) or len(word) >= _IN_SIGHT:
                raise ValueError(f"abbreviation {word!r} must be one short word, without its final full stop")

    def transform(self, documents: pa.Table) -> pa.Table:
        """Return the documents with their sentences, row for row.

        Args:
            documents: DOCUMENT, and for "given" `sentences`, lists of structs of `start` and `end`; no other is kept.
        """
        is_given = self.strategy == "given"
        kept = documents.select(DOCUMENT.names).cast(DOCUMENT)
        texts, errors = kept["text"].to_pylist(), kept["error"].to_pylist()
        given: list[Any] = documents["sentences"].to_pylist() if is_given else [None] * len(texts)
        sentences: list[list[tuple[int, int]]] = [[] for _ in texts]
        for row, text in enumerate(texts):
            if text is None or errors[row] is not None:
                continue
            if not is_given:
                sentences[row] = detect_sentences(
                    text,
                    custom_bounds=self.custom_bounds,
                    use_custom_bounds_only=self.use_custom_bounds_only or self.strategy == "none",
                    abbreviations=self.abbreviations,
                )
            elif problem := _problem_of_given(text, given[row]):
                errors[row] = problem
            else:
                sentences[row] = [(span["start"], span["end"]) for span in given[row]]
        columns = dict(zip(kept.column_names, kept.columns, strict=True))
        return pa.table(columns | {"error": errors, "sentences": sentences}, schema=SENTENCE)
