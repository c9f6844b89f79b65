"""What a model multiplies, what the machine multiplies, and what is made of the two."""

import math

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.model_files import EMBEDDED_MODEL, ModelError
from benchmarks.matmul_rate import Arithmetic, Comparison, Product, product_graph, rate
from benchmarks.model_alone import batches, typical_pieces
from benchmarks.profile import BETWEEN, OperatorTime, by_operator
from benchmarks.random_bert import LABELS, TINY, save_graph
from benchmarks.rows.machine import row_of

TINY_PRODUCTS = {
    Product(32, 32, "fp32"): 4 * 2,
    Product(32, 64, "fp32"): 2,
    Product(64, 32, "fp32"): 2,
    Product(32, len(LABELS), "fp32"): 1,
}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    path = tmp_path_factory.mktemp("arithmetic") / "model.onnx"
    save_graph(path, TINY)
    return Arithmetic.of(path)


def test_the_products_of_a_bert_are_those_of_its_shape(tiny):
    assert tiny.products == TINY_PRODUCTS
    assert (tiny.attention_layers, tiny.width) == (TINY.layers, TINY.hidden)
    of_a_layer = 4 * 32 * 32 + 2 * 32 * 64
    assert tiny.multiply_adds(10) == 2 * of_a_layer + 32 * len(LABELS) + 2 * (2 * 10 * 32)
    assert tiny.attention(20) == 2 * tiny.attention(10)


def test_the_embedded_model_multiplies_int8():
    arithmetic = Arithmetic.of(EMBEDDED_MODEL / "model.onnx")
    assert (arithmetic.attention_layers, arithmetic.width) == (6, 384)
    layer = {Product(384, 384, "int8"): 24, Product(384, 1536, "int8"): 6, Product(1536, 384, "int8"): 6}
    assert arithmetic.products == layer | {Product(384, 11, "fp32"): 1}
    assert arithmetic.attention_product.precision == "fp32"


def test_a_graph_without_products_is_refused(tmp_path):
    graph = onnx.helper.make_graph([], "empty", [], [])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="no products with weights"):
        Arithmetic.of(tmp_path / "model.onnx")


def test_at_one_rate_for_all_the_products_take_their_work_over_it(tiny):
    of_corpus = [np.zeros((3, 7), np.int64), np.zeros((2, 12), np.int64)]
    work = 21 * tiny.multiply_adds(7) + 24 * tiny.multiply_adds(12)
    assert tiny.of_batches(of_corpus) == work
    rates = dict.fromkeys(tiny.products, 1e6)
    assert tiny.seconds_at(rates, of_corpus) == pytest.approx(work / 1e6)
    slower = rates | {Product(64, 32, "fp32"): 5e5}
    assert tiny.seconds_at(slower, of_corpus) == pytest.approx((work + 45 * 2 * 64 * 32) / 1e6)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_product_graph_multiplies(precision):
    product = Product(16, 5, precision)
    session = onnxruntime.InferenceSession(product_graph(product), providers=["CPUExecutionProvider"])
    (weights,) = onnx.load_from_string(product_graph(product)).graph.initializer
    pieces = np.random.default_rng(2).integers(0, 256, (7, 16)).astype(np.uint8 if precision == "int8" else np.float32)
    (result,) = session.run(None, {"pieces": pieces})
    wanted = pieces.astype(np.float64) @ onnx.numpy_helper.to_array(weights).astype(np.float64)
    assert result.dtype == (np.int32 if precision == "int8" else np.float32)
    assert np.allclose(result, wanted, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_rate_is_measured_even_in_no_time(precision):
    measured = rate(Product(16, 8, precision), rows=4, threads=1, seconds=0)
    assert 0 < measured < math.inf


@given(st.lists(st.integers(1, 40), min_size=1, max_size=60), st.integers(1, 100))
def test_batches_hold_every_window_once_and_nothing_else(lengths, budget):
    windows = [[number] * length for number, length in enumerate(lengths)]
    found = batches(windows, budget)
    assert sorted(row.tolist() for batch in found for row in batch) == sorted(windows)
    assert all(batch.size <= budget or len(batch) == 1 for batch in found)


def test_the_typical_batch_is_that_of_the_median_piece():
    sizes = [1, 1, 1, 1, 10, 30, 40]
    assert typical_pieces([np.zeros(size) for size in sizes]) == 30
    with pytest.raises(ValueError, match="no batches"):
        typical_pieces([])


def event(name, operator, microseconds):
    return {"cat": "Node", "name": name, "dur": microseconds, "args": {"op_name": operator}}


EVENTS = [
    {"cat": "Session", "name": "model_loading_uri", "dur": 9000},
    {"cat": "Session", "name": "model_run", "dur": 100},
    event("a_fence_before", "MatMul", 1000),
    event("a_kernel_time", "MatMul", 60),
    event("b_kernel_time", "Gelu", 10),
    {"cat": "Session", "name": "model_run", "dur": 100},
    event("a_kernel_time", "MatMul", 80),
    event("b_kernel_time", "Gelu", 20),
]


def test_the_profile_counts_each_operator_and_the_time_between():
    assert by_operator(EVENTS) == [
        OperatorTime("MatMul", 2, 140e-6, 0.7),
        OperatorTime("Gelu", 2, 30e-6, 0.15),
        OperatorTime(BETWEEN, 2, 30e-6, 0.15),
    ]


def test_the_row_is_the_median_turn_and_its_note_names_operators():
    compared = [Comparison(model=model, machine=10e9, rates={}) for model in (6e9, 8e9, 7e9)]
    row = row_of("embedded int8", compared, by_operator(EVENTS))
    assert (row.ours, row.theirs, row.goal) == (7.0, 10.0, None)
    assert (row.ratio, row.lowest, row.highest) == pytest.approx((0.7, 0.6, 0.8))
    assert row.note == "time in the model: MatMul 70%, Gelu 15%, between nodes 15%"
