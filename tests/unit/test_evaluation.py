import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.evaluation import (
    PREDICTION,
    Evaluation,
    EvaluationError,
    GoldDocument,
    Score,
    evaluate,
    read_gold,
    read_predictions,
)
from pipelines.schema import CHUNK_ROW

TEXT = "IL-2 gene expression in T cells 𝛼 NF-kappa B"


def gold_of(*spans, **more):
    return {"d1": GoldDocument(text=TEXT, entities=frozenset(spans)), **more}


def predictions(*spans):
    """Rows of (start, end, entity) of document d1, or (start, end, entity, document id, text)."""
    rows = []
    for start, end, entity, *rest in spans:
        document_id, text = rest or ("d1", TEXT[start:end])
        rows.append({"document_id": document_id, "start": start, "end": end, "entity": entity, "text": text})
    return pa.Table.from_pylist(rows, schema=PREDICTION)


def chunk_row(**columns):
    row = {
        "document_id": "d1",
        "source": "a.jsonl",
        "ordinal": 0,
        "sentence_id": 0,
        "chunk_id": 0,
        "start": 0,
        "end": 9,
    }
    return row | {"text": "IL-2 gene", "entity": "DNA", "score": 0.5} | columns


def counts(score):
    return score.true_positives, score.false_positives, score.false_negatives


@pytest.mark.parametrize(
    ("gold", "predicted", "micro"),
    [
        ([], [], (0, 0, 0)),
        ([(0, 9, "DNA")], [(0, 9, "DNA")], (1, 0, 0)),
        ([(0, 9, "DNA")], [], (0, 0, 1)),
        ([], [(0, 9, "DNA")], (0, 1, 0)),
        ([(0, 9, "DNA")], [(0, 9, "protein")], (0, 1, 1)),  # the type is wrong
        ([(0, 9, "DNA")], [(0, 4, "DNA")], (0, 1, 1)),  # the end is wrong
        ([(0, 9, "DNA")], [(5, 9, "DNA")], (0, 1, 1)),  # the start is wrong
        ([(0, 9, "DNA"), (0, 4, "protein")], [(0, 9, "DNA"), (24, 31, "cell_type")], (1, 1, 1)),
        ([(0, 9, "DNA")], [(0, 9, "DNA"), (0, 9, "protein")], (1, 1, 0)),  # one span, two types
    ],
)
def test_a_chunk_counts_when_span_and_entity_are_exact(gold, predicted, micro):
    assert counts(evaluate(gold_of(*gold), predictions(*predicted)).micro) == micro


def test_a_whole_evaluation():
    gold = {
        "d1": GoldDocument(text=TEXT, entities=frozenset([(0, 9, "DNA"), (0, 4, "protein"), (24, 31, "cell_type")])),
        "d2": GoldDocument(text="IL-2 and IL-4", entities=frozenset([(0, 4, "protein"), (9, 13, "protein")])),
        "d3": GoldDocument(text="nothing", entities=frozenset()),
    }
    predicted = predictions(
        (0, 9, "DNA"),
        (24, 31, "cell_line"),
        (0, 4, "protein", "d2", "IL-2"),
        (0, 4, "protein", "d2", "IL-2"),
        (0, 13, "protein", "d2", "IL-2 and IL-4"),
        (9, 13, "protein", "d1", "IL-4"),  # d2's chunk under the wrong document
        (0, 4, "protein", "d9", "IL-2"),
        (9, 13, "protein", "d9", "IL-4"),
        (9, 13, "protein", "d8", "IL-4"),
    )
    assert evaluate(gold, predicted) == Evaluation(
        by_entity={
            "DNA": Score(true_positives=1),
            "cell_line": Score(false_positives=1),
            "cell_type": Score(false_negatives=1),
            "protein": Score(true_positives=1, false_positives=2, false_negatives=2),
        },
        documents=3,
        documents_without_prediction_row=1,
        documents_not_in_gold={"d8": 1, "d9": 2},
        duplicates=1,
        wrong_offsets=1,
    )


def test_micro_sums_the_counts_of_all_entities():
    by_entity = {
        "DNA": Score(true_positives=1, false_positives=2, false_negatives=3),
        "protein": Score(true_positives=10, false_positives=20, false_negatives=30),
    }
    evaluation = evaluate(gold_of(), predictions())
    micro = Evaluation(**{**vars(evaluation), "by_entity": by_entity}).micro
    assert counts(micro) == (11, 22, 33)


@pytest.mark.parametrize(
    ("true_positives", "false_positives", "false_negatives", "precision", "recall", "f1"),
    [
        (0, 0, 0, 0.0, 0.0, 0.0),
        (0, 3, 0, 0.0, 0.0, 0.0),
        (0, 0, 3, 0.0, 0.0, 0.0),
        (3, 0, 0, 1.0, 1.0, 1.0),
        (3, 1, 0, 0.75, 1.0, 6 / 7),
        (3, 1, 2, 0.75, 0.6, 2 / 3),
    ],
)
def test_precision_recall_and_f1(true_positives, false_positives, false_negatives, precision, recall, f1):
    score = Score(true_positives=true_positives, false_positives=false_positives, false_negatives=false_negatives)
    assert (score.precision, score.recall, score.f1) == pytest.approx((precision, recall, f1))


@pytest.mark.parametrize(
    ("start", "end", "text", "wrong"),
    [
        (0, 4, "IL-2", 0),
        (32, 33, "𝛼", 0),
        (34, 44, "NF-kappa B", 0),
        (35, 45, "NF-kappa B", 1),  # counted in UTF-16 units
        (0, 3, "IL-2", 1),  # an inclusive end
        (-44, 4, "IL-2", 1),
        (34, 99, "NF-kappa B", 0),
    ],
)
def test_offsets_are_checked_against_the_gold_text(start, end, text, wrong):
    assert evaluate(gold_of(), predictions((start, end, "protein", "d1", text))).wrong_offsets == wrong


SPAN = st.tuples(st.integers(0, 3), st.integers(4, 6), st.sampled_from(["DNA", "RNA"]))


@given(gold=st.sets(SPAN), predicted=st.lists(SPAN))
def test_the_counts_add_up(gold, predicted):
    evaluation = evaluate(gold_of(*gold), predictions(*predicted))
    micro = evaluation.micro
    assert micro.true_positives + micro.false_negatives == len(gold)
    assert micro.true_positives + micro.false_positives + evaluation.duplicates == len(predicted)
    assert micro.true_positives == len(gold & set(predicted))
    assert evaluation == evaluate(gold_of(*gold), predictions(*reversed(predicted)))


# --- reading gold


def gold_line(**fields):
    record = {"document_id": "d1", "text": TEXT, "entities": [{"start": 0, "end": 9, "entity": "DNA"}]}
    return json.dumps({name: value for name, value in (record | fields).items() if value is not ...})


def test_gold_is_read_by_document_id(tmp_path):
    path = tmp_path / "gold.jsonl"
    second = gold_line(document_id="d2", text="α\u2028", entities=[], year=1999)
    path.write_text(f"{gold_line()}\n\n{second}\n", "utf-8")
    assert read_gold(path) == gold_of((0, 9, "DNA"), d2=GoldDocument(text="α\u2028", entities=frozenset()))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON: "),
        ("\xff", "not JSON: "),
        ("[]", "not a JSON object"),
        (gold_line(document_id=...), "no 'document_id'"),
        (gold_line(document_id=7), "'document_id' is 7, not a string"),
        (gold_line(text=...), "no 'text'"),
        (gold_line(text=None), "'text' is None, not a string"),
        (gold_line(entities=...), "no 'entities'"),
        (gold_line(entities={}), "'entities' is {}, not a list"),
        (gold_line(entities=["DNA"]), "an entity is not a JSON object: 'DNA'"),
        (gold_line(entities=[{"end": 9, "entity": "DNA"}]), "no 'start'"),
        (gold_line(entities=[{"start": 0, "entity": "DNA"}]), "no 'end'"),
        (gold_line(entities=[{"start": 0, "end": 9}]), "no 'entity'"),
        (gold_line(entities=[{"start": True, "end": 9, "entity": "DNA"}]), "'start' is True, not an integer"),
        (gold_line(entities=[{"start": 9, "end": 9, "entity": "DNA"}]), "entity [9, 9) is not within its text"),
        (gold_line(entities=[{"start": -1, "end": 9, "entity": "D"}]), "entity [-1, 9) is not within its text"),
        (gold_line(entities=[{"start": 0, "end": 45, "entity": "D"}]), "its text of 44 code points"),
        (gold_line(document_id="d0"), "document_id 'd0' stands on an earlier line too"),
    ],
)
def test_bad_gold_is_refused_in_one_line_that_names_the_place(tmp_path, line, message):
    path = tmp_path / "gold.jsonl"
    path.write_bytes(f"{gold_line(document_id='d0')}\n{line}\n".encode("latin-1"))
    with pytest.raises(EvaluationError, match=r"gold\.jsonl, line 2: ") as caught:
        read_gold(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_gold_without_documents_is_refused(tmp_path):
    path = tmp_path / "gold.jsonl"
    path.write_text("\n", "utf-8")
    with pytest.raises(EvaluationError, match=r"gold\.jsonl: no documents"):
        read_gold(path)


# --- reading predictions


def write_part(path, *rows, schema=CHUNK_ROW):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_all_parts_are_read_and_nothing_else(tmp_path, suffix):
    write_part(tmp_path / f"part-1.{suffix}", chunk_row(document_id="d2", text="α\u2028\n"), chunk_row(start=3))
    write_part(tmp_path / f"part-0.{suffix}")
    write_part(tmp_path / f"run=2/part-0.{suffix}", chunk_row(entity="RNA"))
    write_part(tmp_path / f"_errors/part-0.{suffix}", chunk_row(entity="hidden"))
    write_part(tmp_path / f".part-3.{suffix}", chunk_row(entity="hidden"))
    (tmp_path / "_metadata.jsonl").write_text("{}", "utf-8")
    (tmp_path / "README").write_text("", "utf-8")
    table = read_predictions(tmp_path)
    assert table.schema.equals(PREDICTION)
    assert table.to_pylist() == [
        {"document_id": "d2", "start": 0, "end": 9, "entity": "DNA", "text": "α\u2028\n"},
        {"document_id": "d1", "start": 3, "end": 9, "entity": "DNA", "text": "IL-2 gene"},
        {"document_id": "d1", "start": 0, "end": 9, "entity": "RNA", "text": "IL-2 gene"},
    ]


def test_a_folder_whose_own_name_is_hidden_is_read(tmp_path):
    write_part(tmp_path / ".out" / "part-0.jsonl", chunk_row())
    assert read_predictions(tmp_path / ".out").num_rows == 1


def refusal(folder):
    with pytest.raises(EvaluationError) as caught:
        read_predictions(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_folder_without_parts_is_refused(tmp_path):
    write_part(tmp_path / "_errors" / "part-0.jsonl", chunk_row())
    assert refusal(tmp_path) == f"{tmp_path}: no .jsonl or .parquet parts"
    assert refusal(tmp_path / "missing") == f"{tmp_path / 'missing'}: no .jsonl or .parquet parts"


def test_a_folder_with_parts_of_two_formats_is_refused(tmp_path):
    write_part(tmp_path / "part-0.jsonl", chunk_row())
    write_part(tmp_path / "part-0.parquet", chunk_row())
    assert refusal(tmp_path) == f"{tmp_path}: both .jsonl and .parquet parts"


@pytest.mark.parametrize("name", PREDICTION.names)
def test_a_part_without_a_column_or_a_value_is_refused(tmp_path, name):
    folders = [tmp_path / folder for folder in ("no column", "null", "no field", "no value")]
    without = pa.schema([field for field in CHUNK_ROW if field.name != name])
    write_part(folders[0] / "part-0.parquet", chunk_row(), schema=without)
    write_part(
        folders[1] / "part-0.parquet",
        chunk_row(**{name: None}),
        schema=pa.schema([field.with_nullable(True) for field in CHUNK_ROW]),
    )
    row = chunk_row()
    del row[name]
    write_part(folders[2] / "part-0.jsonl", chunk_row(), row)
    write_part(folders[3] / "part-0.jsonl", chunk_row(), chunk_row(**{name: None}))
    assert refusal(folders[0]) == f"{folders[0] / 'part-0.parquet'}: no column {name!r}"
    assert refusal(folders[1]) == f"{folders[1] / 'part-0.parquet'}: column {name!r} has nulls"
    assert refusal(folders[2]) == f"{folders[2] / 'part-0.jsonl'}, line 2: no {name!r}"
    assert refusal(folders[3]).startswith(f"{folders[3] / 'part-0.jsonl'}, line 2: {name!r} is None, not a")


def test_a_part_that_is_not_what_its_name_says_is_refused(tmp_path):
    broken, text, number = tmp_path / "a" / "p.parquet", tmp_path / "b" / "p.parquet", tmp_path / "c" / "p.jsonl"
    for path in (broken, text, number):
        path.parent.mkdir()
    broken.write_bytes(b"PAR1")
    pq.write_table(pa.table({name: ["x"] for name in PREDICTION.names}), text)
    write_part(number, chunk_row(end=2**40))
    assert refusal(broken.parent).startswith(f"{broken}: not a Parquet file that can be read: ")
    assert refusal(text.parent).startswith(f"{text}: ")
    assert refusal(number.parent).startswith(f"{number}: ")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_files_to_score(tmp_path, suffix):
    (tmp_path / "gold.jsonl").write_text(gold_line(), "utf-8")
    write_part(tmp_path / "out" / f"part-0.{suffix}", chunk_row(), chunk_row(start=5, text="gene"))
    evaluation = evaluate(read_gold(tmp_path / "gold.jsonl"), read_predictions(tmp_path / "out"))
    assert counts(evaluation.micro) == (1, 1, 0)
    assert evaluation.wrong_offsets == 0
