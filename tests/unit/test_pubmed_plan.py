import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corpora.input_files import InputError
from pipelines.corpora.pubmed_plan import order_files, plan_citations, withhold
from pipelines.corpora.pubmed_scan import PROBLEM
from pipelines.corpora.records import Record
from pipelines.schema import CITATION, DELETED, SUPERSEDED, WITHDRAWN


def citations(*rows, problem=""):
    """`5`: a record of PMID 5; `(5, 2)`: of its version 2; `-5` and `(-5, 2)`: deletions."""
    pairs = [row if isinstance(row, tuple) else (row, 1) for row in rows]
    pairs.sort(key=lambda pair: pair[0] < 0)  # deletions stand behind the records
    columns = [[abs(pmid) for pmid, _ in pairs], [version for _, version in pairs], [pmid < 0 for pmid, _ in pairs]]
    table = pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, CITATION, strict=True)], schema=CITATION
    )
    return table.replace_schema_metadata({PROBLEM: problem} if problem else None)


def plan(files):
    return plan_citations(list(files), lambda path: citations(*files[path]))


def fates(files):
    """Of each file a letter a record: t(ag), s(uperseded), d(eleted)."""
    made = plan(files)
    told = {}
    for path, one in made.files.items():
        letters = ["t"] * one.citations
        for reason, ordinals in one.withdrawn.items():
            assert ordinals.tolist() == sorted(set(ordinals.tolist()))
            for ordinal in ordinals:
                assert letters[ordinal] == "t"
                letters[ordinal] = reason[0]
        assert one.to_tag == letters.count("t")
        told[path] = "".join(letters)
    return told


def numbered(number):
    return f"in/pubmed26n{number:04d}.xml.gz"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([[1, 2, 3]], ["ttt"]),
        ([[1, 2], [2, 3]], ["ts", "tt"]),
        ([[1], [1], [1]], ["s", "s", "t"]),
        ([[1, 2], [-1]], ["dt", ""]),
        ([[1], [1], [-1]], ["s", "d", ""]),  # one citation was deleted, and one revised
        ([[1], [-1], [1]], ["s", "", "t"]),  # deleted, and there again
        ([[1], [1], [-1], [1], [-1]], ["s", "s", "", "d", ""]),
        ([[1], [1], [-1], [1]], ["s", "s", "", "t"]),
        ([[-1], [1]], ["", "t"]),  # deleted before it was there
        ([[1, -1]], ["d"]),  # in one file, the deletion comes after
        ([[1], [1, -1]], ["s", "d"]),
        ([[1], [-1, 1], [-1]], ["s", "d", ""]),
        ([[(1, 1), (1, 2)]], ["st"]),
        ([[(1, 2), (1, 1)]], ["ts"]),  # within a file the highest version, wherever it stands
        ([[(1, 2), (1, 2)]], ["st"]),  # then the last
        ([[(1, 1), (1, 3), (1, 2)]], ["sts"]),
        ([[(1, 1)], [(1, 2)]], ["s", "t"]),
        ([[(1, 2)], [(1, 1)]], ["s", "t"]),  # the highest file, whatever the version
        ([[(1, 1), (1, 2)], [(-1, 1)]], ["st", ""]),  # version 1 is taken back, version 2 stays
        ([[(1, 1), (1, 2)], [(-1, 2)]], ["sd", ""]),
        ([[(1, 2)], [(-1, 1)], [(-1, 2)]], ["d", "", ""]),
        ([[(1, 2)], [(-1, 2)], [(-1, 1)]], ["d", "", ""]),
        ([[(1, 300)], [(-1, 300)]], ["d", ""]),
        ([[0, 0, 0], [0, -2]], ["ttt", "t"]),  # records without a PMID
        ([[], []], ["", ""]),
    ],
)
def test_the_last_word_wins(files, expected):
    named = {numbered(number): rows for number, rows in enumerate(files, start=1)}
    assert fates(named) == dict(zip(named, expected, strict=True))
    backwards = dict(reversed(named.items()))  # an update file named before the baseline
    assert fates(backwards) == dict(zip(named, expected, strict=True))
    assert list(plan(backwards).files) == list(named)


def last_word_by_hand(files):
    """The slow and simple way: the records in their order, one after the other."""
    told = [["t"] * sum(pmid > 0 for pmid, _ in rows) for rows in files]
    holder = {}
    for number, rows in enumerate(files):
        records = [row for row in rows if row[0] > 0]
        for ordinal, (pmid, version) in sorted(enumerate(records), key=lambda one: (one[1][1], one[0])):
            if pmid in holder:
                file, place, _ = holder[pmid]
                told[file][place] = "s"
            holder[pmid] = number, ordinal, version
        for pmid, version in rows:
            if pmid < 0 and -pmid in holder and holder[-pmid][2] <= version:
                file, place, _ = holder[-pmid]
                told[file][place] = "d"
    return ["".join(letters) for letters in told]


ROWS = st.lists(st.tuples(st.sampled_from([1, 2, 3, -1, -2, -3]), st.integers(1, 3)), max_size=6)


@given(st.lists(ROWS, max_size=5))
def test_the_plan_is_what_one_gets_record_by_record(files):
    named = {numbered(number): rows for number, rows in enumerate(files, start=1)}
    assert list(fates(named).values()) == last_word_by_hand(files)


@given(st.lists(ROWS, min_size=1, max_size=5), st.data())
def test_what_is_withdrawn_stays_so_when_files_are_added(files, data):
    """So what a run has withdrawn, the next one never wants back."""
    named = {numbered(number): rows for number, rows in enumerate(files, start=1)}
    some = {path: rows for path, rows in named.items() if data.draw(st.booleans())}
    then, now = fates(some), fates(named)
    for path, letters in then.items():
        assert all(later != "t" for before, later in zip(letters, now[path], strict=True) if before != "t")


def test_numbered_files_come_first_by_year_and_number_the_others_as_they_were_named():
    numbered_ones = ["a/PUBMED26N0009.XML.GZ", "b/pubmed26n0010.xml", "a/pubmed26n10000.xml.gz"]
    others = ["z.xml", "a.xml", "my_pubmed20n0001.xml"]
    for paths in itertools.permutations(numbered_ones):
        assert order_files([others[0], *paths, *others[1:]]) == [*numbered_ones, *others]


def test_two_baselines_are_refused():
    with pytest.raises(InputError, match=r"^pubmed26n0001.xml: of another year than a/pubmed25n0002.xml.gz; "):
        order_files(["pubmed26n0001.xml", "a/pubmed25n0002.xml.gz"])


def test_deletions_of_pmids_that_are_nowhere_are_counted():
    assert plan({numbered(1): [1], numbered(2): [-1, -2, -3], numbered(3): [-3, (-3, 2), 4]}).unknown_deletions == 2
    assert plan({numbered(1): [-1], numbered(2): [1]}).unknown_deletions == 0
    assert plan({}).unknown_deletions == 0


def test_missing_and_double_numbers_are_told():
    files = {numbered(number): [] for number in (3, 4, 6, 10)} | {"other/pubmed26n0004.xml": [], "x.xml": []}
    assert plan(files).warnings == (
        "other/pubmed26n0004.xml: has the number of in/pubmed26n0004.xml.gz; the last one named has the last word",
        "in/pubmed26n0006.xml.gz: the file before it is missing (number 0005); what that revises or deletes is unknown",
        "in/pubmed26n0010.xml.gz: the file before it is missing (number 0007 to 0009); what that revises or deletes is "
        "unknown",
    )


def test_a_file_that_breaks_off_is_told():
    made = plan_citations(["a.xml"], lambda _: citations(1, problem="cut off"))
    assert made.warnings == ("a.xml: cut off",)
    assert made.files["a.xml"].problem == "cut off"


def test_withheld_records_keep_their_place_and_lose_their_text():
    records = [Record(str(i), f"text {i}", {"pmid_version": "1"}, None) for i in range(4)]
    records[2] = Record("2", None, {}, "too long")
    withdrawn = {SUPERSEDED: np.array([0, 2], np.int32), DELETED: np.array([3], np.int32)}
    assert list(withhold(records, withdrawn)) == [
        Record("0", None, {WITHDRAWN: SUPERSEDED}),
        records[1],
        Record("2", None, {WITHDRAWN: SUPERSEDED}),
        Record("3", None, {WITHDRAWN: DELETED}),
    ]


def test_a_baseline_and_updates_in_any_order_of_naming():
    files = {numbered(1): [1, 2], numbered(2): [3, (1, 2)], numbered(3): [-3, 2]}
    wanted = fates(files)
    for order in itertools.permutations(files):
        assert fates({path: files[path] for path in order}) == wanted
