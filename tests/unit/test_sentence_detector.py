import json
import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.schema import DOCUMENT, SENTENCE
from pipelines.stages.sentence_detector import SentenceDetector, detect_sentences

JNLPBA = Path(__file__).parents[2].parent / "shared" / "jnlpba"

# "|" marks where a sentence ends; white space beside it is the gap.
HAND_CASES = [
    # plain stops, closers and openers
    "Cells were washed.| They were counted.",
    "Is it so?| It is!| Good.",
    'He said "stop."| The rest followed.',
    "It was seen (data not shown).| The rest followed.",
    "(It was seen in mice.)| The rest followed.",
    "It was seen (not shown.)| The rest followed.",
    "Cells died.| (The controls lived.)",
    "Cells died.| “The controls” lived.",
    "It was low.  |It rose.",
    "It was low .| It rose .",
    "Cells were lysed.|The lysates were spun.",
    "It binds DNA.|(ABSTRACT TRUNCATED AT 250 WORDS)",
    "Mutants of cells.t were seen at foo.Bar sites.",
    # numbers
    "A 5.2-fold rise was seen.| It was significant.",
    "It rose (P = 0.05).| It fell.",
    "It rose at p < .05 in mice.",
    "It rose at p < .05.| Then it fell.",
    "It was shown in 1998.| 12 patients died.",
    "See Table 2.| The rest followed.",
    "1. Danazol bound to these sites.| 2. It is suggested that it acts.",
    "We studied (i) mice.| (ii) rats were not used.",
    "1) Cells died.| 2) Mice lived.",
    "It was shown before [1,2].| The rest followed.",
    # abbreviations that are never last
    "As seen in Fig. 2 and Figs. 3A and B.",
    "Some, e.g. IL-2, i.e. The cytokine, were high.",
    "Some (i.e., IL-2, vs. IL-4) were high.",
    "Young vs. old mice, cf. Table 2.",
    "Lines A and B were 1 and 2, resp. 2 and 3.",
    "It is approx. 3.7 kb, ca. 40 bp from Dr. Smith.",
    "It was S. enterica ser. Typhimurium of St. Louis.",
    # abbreviations before a number
    "It is phosphorylated at Ser. 473 in mice.",
    "It is phosphorylated at Ser.| The kinase is Akt.",
    "See pp. 10-12 and vol. 3, no. 5, p. 7.",
    "The answer was no.| The rest followed.",
    # abbreviations that may be last
    "Smith et al. (1998) and Jones et al. [5] saw it.",
    "It was seen by Smith et al.| The rest followed.",
    "Bacillus spp. and Candida spp. Growth differed.",
    "It was found in Bacillus spp.| These grew.",
    "Medium was from Gibco Inc. Gaithersburg.",
    "As in Proc. Natl. Acad. Sci. USA 86 and J. Biol. Chem. 271.",
    "It came with IL-2, IL-4, etc.| However, IL-5 was absent.",
    # dotted abbreviations
    "Mice got 5 mg i.v. or s.c. daily.",
    "Mice got it i.p. 5 mg a day.",
    "Mice got it i.v.| Rats did not.",
    "It is of the U.S. Army and the U.S.A. in whole.",
    "It is common in the U.S.| The cause is unknown.",
    "Mice were fed ad lib. for 3 days.",
    # initials and lone letters
    "E. coli and S. Typhimurium grew.",
    "J. M. Smith wrote to P.K. and A.I. alone.",
    "It binds NF-kappa B.| The site is known.",
    "It binds NF-kappa B.| Mutants do not.",
    "It was blocked by cyclosporin A.| In mice it was not.",
    "It was blocked by cyclosporin A.| Treatment was stopped.",
    "All had hepatitis B.| Patients were treated.",
    "It has two domains, A and B.| Domain B is short.",
    "They lack vitamins A, D, and E.| Supplements help.",
    # sentences that open in lower case, and stops that do not end one
    "It is mutated.| p53 is lost.",
    "It is mutated.| c-Myc and c-fos rise.",
    "It is low.| mRNA was high.",
    "It is low.| gp120 was high.",
    "It is low.| α-Actin was high.",
    "It is low.| v-src was high.",
    "It is low.| il-2 was high.",
    "It grew for 3 mo. with doubling times of 5 days.",
    "It grew ... and died.",
    # brackets
    "The paper (Renesto, P. and Chignard, M. Blood 82. It is old) says so.",
    "The list [a (b. C) d. E] goes on.| It ends.",
    "An unclosed ( bracket.| It hides nothing.",
    "An unopened ) bracket.| It hides nothing.",
    "A wrong ( bracket ].| It hides nothing.",
    # passages
    "A title without a stop|\nThe abstract.| It follows.",
    "See Fig.|\n2 of it.",
    "One|\r\nTwo|\rThree|\u2028Four|\u2029Five",
    "One\x0bTwo\x0cThree\x85Four\tFive",
    # spaces of other kinds
    "It was low.|\u00a0It rose.|\u2009It fell.",
    "It was at Fig.\u00a02 and E.\u2009coli.",
]

EDGE_TEXTS = {
    "blank": " \t\n\n ",
    "nul": "a\x00b. \x00",
    "byte_order_mark": "\ufeffA title.\nText.",
    "windows_lines": "One.\r\n\r\nTwo.\r\n",
    "astral": "𝛼-Actin 😀. 𝛽-Actin. 😀",
    "chinese": "这是一个句子。这是另一个。",
    "right_to_left": "זה משפט. זה עוד אחד.",
    "combining": "e\u0301. E\u0301t",
    "control": "\x01. \x7f. \x9f",
    "replacement": "\ufffd. \ufffd",
    "lone_surrogate": "\ud800. \udfff. A",
    "separators": "a/b|c\td.\tE",
    "punctuation": ".,;:!?()[]{}'\" ... ?! .",
    "closers": ")]}.) ]. } A",
}

HOSTILE_TEXTS = {
    "no_period": "word " * 200_000,
    "one_word": "x" * 1_000_000,
    "one_word_and_stop": "x" * 10_000 + ". " + "The end",
    "open_brackets": "(" * 200_000,
    "nested_brackets": "(" * 50_000 + "A. " * 50_000 + ")" * 50_000,
    "mismatched_brackets": "(]" * 200_000,
    "stop_then_brackets": (". " + "(" * 1_000) * 200,
    "stops": "." * 200_000,
    "spaced_stops": " . " * 100_000,
    "stop_then_closers": "." + ")" * 300_000,
    "quoted_stops": '."' * 200_000,
    "initials": "A. " * 67_000,
    "dotted": "a." * 100_000,
    "abbreviations": "e.g. " * 100_000,
    "spaces": "a." + " " * 500_000 + "b." + " " * 500_000 + "C",
    "lines": "\n" * 300_000,
    "hyphens": "-" * 300_000 + ". A",
}

# Pieces that the rules look at, to be strung together at random.
FRAGMENTS = ["A", "The", "p53", "e.g", "Fig", "B", "kappa", "2", "no", "al", "ii", *".?!()[]\"'/- \n\r\u00a0\u2028|;"]
RULE_LIKE_TEXTS = st.lists(st.sampled_from(FRAGMENTS)).map("".join)


def cut(text: str, **options: Any) -> list[str]:
    return [text[start:end] for start, end in detect_sentences(text, **options)]


def assert_lossless(text: str, spans: list[tuple[int, int]]) -> None:
    reached = 0
    for start, end in spans:
        assert reached <= start < end <= len(text)
        assert not text[reached:start].strip()
        assert text[start:end].strip() == text[start:end]
        reached = end
    assert not text[reached:].strip()


def documents(*rows: dict[str, Any]) -> pa.Table:
    defaults = {"source": "file", "source_version": "1", "last": False, "metadata": [("key", "value")], "error": None}
    return pa.Table.from_pylist(
        [defaults | {"document_id": f"d{n}", "ordinal": n} | row for n, row in enumerate(rows)], schema=DOCUMENT
    )


def given_documents(text: str | None, spans: Any) -> pa.Table:
    span = pa.struct([("start", pa.int64()), ("end", pa.int64())])
    return documents({"text": text}).append_column("sentences", pa.array([spans], pa.list_(span)))


def sentences_of(table: pa.Table) -> list[list[tuple[int, int]]]:
    return [[(span["start"], span["end"]) for span in spans] for spans in table["sentences"].to_pylist()]


@pytest.mark.parametrize("marked", HAND_CASES)
def test_hand_case(marked: str) -> None:
    pieces = marked.split("|")
    assert cut("".join(pieces)) == [piece.strip() for piece in pieces]


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u00a0\u2009", "\r\n\u2028"])
def test_white_space_holds_no_sentence(text: str) -> None:
    assert detect_sentences(text) == []


def test_offsets_count_code_points_of_the_text_as_read() -> None:
    assert detect_sentences("\ufeff😀 One.\r\n  𝛼 two. Three\n") == [(0, 7), (11, 17), (18, 23)]


@pytest.mark.parametrize("text", EDGE_TEXTS.values(), ids=EDGE_TEXTS.keys())
def test_edge_text_is_kept_whole(text: str) -> None:
    assert_lossless(text, detect_sentences(text))


@pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS.keys())
def test_hostile_text_is_kept_whole_in_bounded_time(text: str) -> None:
    begun = time.process_time()
    spans = detect_sentences(text)
    # Under a second where the work is linear in the text, minutes where it is quadratic: no tight race.
    assert time.process_time() - begun < 20
    assert_lossless(text, spans)


def test_brackets_hide_stops_no_further_than_an_aside_is_long() -> None:
    short, long = (f"It is (so. {'The word is long. ' * n}Here) it ends." for n in (10, 100))
    assert len(detect_sentences(short)) == 1
    assert len(detect_sentences(long)) == 102


@given(st.text())
def test_any_text_is_kept_whole(text: str) -> None:
    assert_lossless(text, detect_sentences(text))


@given(RULE_LIKE_TEXTS, st.sampled_from([(), (";",), ("|", "||", "\n")]), st.booleans())
def test_any_rule_like_text_is_kept_whole(text: str, custom_bounds: tuple[str, ...], only: bool) -> None:
    assert_lossless(text, detect_sentences(text, custom_bounds=custom_bounds, use_custom_bounds_only=only))


@given(RULE_LIKE_TEXTS, RULE_LIKE_TEXTS)
def test_lines_do_not_see_each_other(first: str, second: str) -> None:
    shift = len(first) + 1
    shifted = [(start + shift, end + shift) for start, end in detect_sentences(second)]
    assert detect_sentences(first + "\n" + second) == detect_sentences(first) + shifted


def test_custom_bound_ends_a_sentence_and_stays_in_it() -> None:
    assert cut("One; two. Three;four", custom_bounds=(";",)) == ["One;", "two.", "Three;", "four"]


def test_custom_bound_is_literal_and_the_longest_wins() -> None:
    assert cut("a.b|b||c", custom_bounds=("|", "||", ".*")) == ["a.b|", "b||", "c"]


def test_custom_bounds_only_ignore_stops_and_lines() -> None:
    options = {"custom_bounds": (";",), "use_custom_bounds_only": True}
    assert cut("One. Two\nThree; four", **options) == ["One. Two\nThree;", "four"]


def test_custom_bounds_take_bounded_time() -> None:
    assert len(detect_sentences("a;" * 200_000, custom_bounds=(";", "--"))) == 200_000


def test_abbreviation_of_the_user_never_ends_a_sentence() -> None:
    text = "At 5 conc. The cells died, Conc. The end."
    assert cut(text) == ["At 5 conc.", "The cells died, Conc.", "The end."]
    assert cut(text, abbreviations=frozenset({"conc"})) == ["At 5 conc. The cells died, Conc.", "The end."]


def test_transform_adds_sentences_and_keeps_the_rest() -> None:
    table = documents({"text": "One. Two"}, {"text": None, "error": "no text"}, {"text": ""}, {"text": " \n"})
    result = SentenceDetector().transform(table)
    assert result.schema.equals(SENTENCE)
    result.validate(full=True)
    assert result.select(DOCUMENT.names).equals(table)
    assert sentences_of(result) == [[(0, 4), (5, 8)], [], [], []]


def test_row_without_text_or_with_an_error_gets_no_sentences() -> None:
    table = documents({"text": "One. Two", "error": "bad"}, {"text": None}, {"text": "Three"})
    result = SentenceDetector().transform(table)
    assert sentences_of(result) == [[], [], [(0, 5)]]
    assert result["error"].to_pylist() == ["bad", None, None]


def test_table_without_rows() -> None:
    result = SentenceDetector().transform(DOCUMENT.empty_table())
    assert result.schema.equals(SENTENCE)
    assert result.num_rows == 0


def test_sliced_table_of_many_chunks() -> None:
    rows = [{"text": "n" * n + ". The"} for n in range(1, 6)]
    table = pa.concat_tables([documents(*rows[:2]), documents(*rows[2:])])
    whole = SentenceDetector().transform(table)
    assert sentences_of(whole) == [[(0, n + 1), (n + 2, n + 5)] for n in range(1, 6)]
    assert SentenceDetector().transform(table.slice(1, 3)).equals(whole.slice(1, 3))


def test_transform_leaves_its_input_as_it_was() -> None:
    table = given_documents("One. Two", [{"start": 0, "end": 99}])
    before = table.to_pylist()
    SentenceDetector(strategy="given").transform(table)
    assert table.to_pylist() == before


def test_error_column_of_type_null_is_accepted() -> None:
    table = documents({"text": "One. Two"})
    place = table.schema.get_field_index("error")
    result = SentenceDetector().transform(table.set_column(place, "error", pa.nulls(1)))
    assert result.schema.equals(SENTENCE)


def test_options_reach_the_rules() -> None:
    table = documents({"text": "A conc. The b; c. The d"})
    detector = SentenceDetector(custom_bounds=(";",), abbreviations=frozenset({"conc"}))
    assert sentences_of(detector.transform(table)) == [[(0, 14), (15, 17), (18, 23)]]
    detector = SentenceDetector(custom_bounds=(";",), use_custom_bounds_only=True)
    assert sentences_of(detector.transform(table)) == [[(0, 14), (15, 23)]]


def test_none_takes_the_whole_text_trimmed() -> None:
    result = SentenceDetector(strategy="none").transform(documents({"text": " One.\nTwo. Three \n"}, {"text": " "}))
    assert sentences_of(result) == [[(1, 16)], []]


def test_given_sentences_are_kept() -> None:
    table = given_documents("One. Two", [{"start": 0, "end": 2}, {"start": 2, "end": 8}])
    result = SentenceDetector(strategy="given").transform(table)
    assert result.schema.equals(SENTENCE)
    assert sentences_of(result) == [[(0, 2), (2, 8)]]
    assert result["error"].to_pylist() == [None]


@pytest.mark.parametrize(
    "spans",
    [
        [{"start": -1, "end": 2}],
        [{"start": 0, "end": 9}],
        [{"start": 0, "end": 2**40}],
        [{"start": 3, "end": 3}],
        [{"start": 3, "end": 2}],
        [{"start": 0, "end": 3}, {"start": 2, "end": 5}],
        [{"start": 4, "end": 5}, {"start": 0, "end": 3}],
        [{"start": None, "end": 3}],
        [{"start": 0, "end": 3}, None],
        None,
    ],
)
def test_bad_given_sentences_are_an_error_of_their_row(spans: Any) -> None:
    result = SentenceDetector(strategy="given").transform(given_documents("One. Two", spans))
    assert sentences_of(result) == [[]]
    assert result["error"][0].as_py().startswith("given sentence")


def test_given_sentences_of_a_document_without_text_are_dropped() -> None:
    result = SentenceDetector(strategy="given").transform(given_documents(None, [{"start": 0, "end": 9}]))
    assert sentences_of(result) == [[]]
    assert result["error"].to_pylist() == [None]


def test_given_needs_its_column() -> None:
    with pytest.raises(KeyError, match="sentences"):
        SentenceDetector(strategy="given").transform(documents({"text": "One"}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategy": "dl"}, "strategy must be"),
        ({"strategy": "none", "custom_bounds": (";",)}, "takes no custom_bounds"),
        ({"strategy": "given", "abbreviations": frozenset({"x"})}, "takes no custom_bounds and no abbreviations"),
        ({"custom_bounds": ";"}, "custom_bounds must be a tuple"),
        ({"custom_bounds": [";"]}, "custom_bounds must be a tuple"),
        ({"custom_bounds": (";", "")}, "custom_bounds must be a tuple"),
        ({"use_custom_bounds_only": True}, "needs custom_bounds"),
        ({"abbreviations": "conc"}, "abbreviations must be a frozenset"),
        ({"abbreviations": frozenset({"conc."})}, "without its final full stop"),
        ({"abbreviations": frozenset({"et al"})}, "one short word"),
        ({"abbreviations": frozenset({""})}, "one short word"),
        ({"abbreviations": frozenset({"x" * 40})}, "one short word"),
    ],
)
def test_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SentenceDetector(**options)


def test_detector_is_small_to_send() -> None:
    detector = SentenceDetector(custom_bounds=(";",))
    sent = pickle.dumps(detector)
    assert pickle.loads(sent) == detector  # noqa: S301 - our own bytes
    assert len(sent) < 1_000


def gold(name: str) -> Iterator[dict[str, Any]]:
    path = JNLPBA / name
    if not path.exists():
        pytest.skip(f"the JNLPBA corpus is not here: {path}")
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def starts_within_lines(text: str, starts: list[int]) -> set[int]:
    return {start for start in starts if text[text.rfind("\n", 0, start) + 1 : start].strip()}


def test_boundaries_agree_with_gold() -> None:
    right = found = expected = 0
    for record in gold("sentences.jsonl"):
        text = record["text"]
        theirs = starts_within_lines(text, [sentence["start"] for sentence in record["sentences"]])
        ours = starts_within_lines(text, [start for start, _ in detect_sentences(text)])
        right, found, expected = right + len(theirs & ours), found + len(ours), expected + len(theirs)
    assert expected > 1_000
    assert 2 * right / (found + expected) >= 0.995


@pytest.mark.parametrize("name", ["train.jsonl", "dev.jsonl"])
def test_no_gold_entity_is_cut(name: str) -> None:
    entities, cuts = 0, []
    for record in gold(name):
        spans = detect_sentences(record["text"])
        for entity in record["entities"]:
            entities += 1
            if not any(start <= entity["start"] and entity["end"] <= end for start, end in spans):
                cuts.append(record["text"][entity["start"] : entity["end"]])
    assert entities > 1_000
    assert cuts == []
