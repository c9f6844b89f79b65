"""How fast this machine multiplies matrices of the shapes that a model multiplies, and how fast the model does.

A product here is one with weights: word pieces by `inner` numbers times `inner` by `outer`. What the machine can do is
measured on a graph of that one product in ONNX Runtime, with weights that are constant, so that it lays them out as it
does the model's. Both are measured in turns, and each rate is work over time, not the best moment.

`python -m benchmarks.matmul_rate --help`
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import onnx
import onnxruntime
import typer
from onnx import TensorProto, helper, numpy_helper
from rich.console import Console
from rich.table import Table

from actors.model_files import EMBEDDED_MODEL, ModelError, ModelFiles
from actors.onnx_session import OnnxSession
from benchmarks.corpus import Corpus, model_windows
from benchmarks.model_alone import Ids, batches, run_through, typical_pieces
from pipelines.models.attention import FUSED, STANDARD
from pipelines.models.product_biases import PRODUCT as WITH_BIAS

MEASURE_SECONDS = 0.5
"""For how long each product is repeated."""

ATTENTION = (FUSED, STANDARD, "Softmax")
"""A layer has one of these: fused, or as exported. Beside fused layers a Softmax gives the scores of the tags."""

Precision = Literal["int8", "fp32"]


class Product(NamedTuple):
    """The shape of the weights, and what they are multiplied as."""

    inner: int
    outer: int
    precision: Precision

    @property
    def multiply_adds(self) -> int:
        """For each word piece."""
        return self.inner * self.outer


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """What a graph multiplies.

    Attributes:
        products: How many there are of each shape.
        attention_layers: In each, every piece of a window meets every other, twice.
        width: Of a layer, all its heads together.
    """

    products: Mapping[Product, int]
    attention_layers: int
    width: int

    @classmethod
    def of(cls, path: Path) -> "Arithmetic":
        """Reads a graph; it and not `config.json`, where many a folder does not say how many layers there are.

        Raises:
            ModelError: No product with weights is in it.
        """
        graph = onnx.load(path, load_external_data=False).graph
        weights = {tensor.name: tensor for tensor in graph.initializer}
        dequantized = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"}
        products: Counter[Product] = Counter()
        for node in graph.node:
            if node.op_type in ("MatMul", WITH_BIAS):
                name = dequantized.get(node.input[1], node.input[1])
                if name in weights:
                    inner, outer = weights[name].dims
                    of_bytes = node.op_type == WITH_BIAS or name != node.input[1]
                    products[Product(inner, outer, "int8" if of_bytes else "fp32")] += 1
        if not products:
            raise ModelError(f"{path}: has no products with weights (MatMul); import the model with cytotag first")
        operators = Counter(node.op_type for node in graph.node)
        inner_sizes: Counter[int] = Counter()
        for product, count in products.items():
            inner_sizes[product.inner] += count
        return cls(
            products=dict(products),
            attention_layers=next((operators[name] for name in ATTENTION if operators[name]), 0),
            width=inner_sizes.most_common(1)[0][0],  # all of a layer begin with it, but the feed-forward's second
        )

    def attention(self, pieces: int) -> int:
        """Multiply-adds a word piece of queries with keys, and of weights with values, in a window of so many."""
        return 2 * self.attention_layers * self.width * pieces

    def multiply_adds(self, pieces: int) -> int:
        """All of them a word piece, in a window of so many pieces."""
        return sum(product.multiply_adds * count for product, count in self.products.items()) + self.attention(pieces)

    def of_batches(self, batches: Sequence[Ids]) -> int:
        """All of them for some batches. *Shape of each:* (windows, pieces)."""
        return sum(batch.size * self.multiply_adds(batch.shape[1]) for batch in batches)

    def seconds_at(self, rates: Mapping[Product, float], batches: Sequence[Ids]) -> float:
        """What these batches would take if nothing but products took time, each at its own rate.

        Args:
            rates: Multiply-adds/s of each product, and of `attention_product`.
            batches: *Shape of each:* (windows, pieces).
        """
        pieces = sum(batch.size for batch in batches)
        with_weights = sum(count * pieces * one.multiply_adds / rates[one] for one, count in self.products.items())
        attention = sum(batch.size * self.attention(batch.shape[1]) for batch in batches)
        return with_weights + attention / rates[self.attention_product]

    @property
    def attention_product(self) -> Product:
        """By whose rate attention is reckoned: it is in floats in every model, and little."""
        return Product(self.width, self.width, "fp32")


def product_graph(product: Product, seed: int = 0) -> bytes:
    """An ONNX graph of one product with constant weights: uint8 times int8 to int32, or floats."""
    random = np.random.default_rng(seed)
    shape = (product.inner, product.outer)
    if product.precision == "int8":
        operator, given, result = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
        weights = random.integers(-64, 64, shape).astype(np.int8)  # 7 bits, as in our models
    else:
        operator, given, result = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
        weights = random.normal(size=shape).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node(operator, ["pieces", "weights"], ["product"])],
        "product",
        [helper.make_tensor_value_info("pieces", given, ["rows", product.inner])],
        [helper.make_tensor_value_info("product", result, ["rows", product.outer])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    serialized: bytes = model.SerializeToString()
    return serialized


def rate(product: Product, *, rows: int, threads: int, seconds: float = MEASURE_SECONDS) -> float:
    """Multiply-adds/s of the machine, for so many word pieces at once."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(product_graph(product), options, providers=["CPUExecutionProvider"])
    random, shape = np.random.default_rng(1), (rows, product.inner)
    given: Any = random.normal(size=shape).astype(np.float32)
    if product.precision == "int8":
        given = random.integers(0, 256, shape).astype(np.uint8)
    binding = session.io_binding()  # into memory that is there, and without a copy to numpy's
    binding.bind_ortvalue_input("pieces", onnxruntime.OrtValue.ortvalue_from_numpy(given))
    result = np.empty((rows, product.outer), np.int32 if product.precision == "int8" else np.float32)
    binding.bind_ortvalue_output("product", onnxruntime.OrtValue.ortvalue_from_numpy(result))
    session.run_with_iobinding(binding)
    runs, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds or not runs:
        session.run_with_iobinding(binding)
        runs += 1
    return runs * rows * product.multiply_adds / took


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One turn: multiply-adds/s in the model, and what the machine would do with the same products alone."""

    model: float
    machine: float
    rates: Mapping[Product, float]

    @property
    def share(self) -> float:
        """Of the model's time, what its products would take alone."""
        return self.model / self.machine


def compare(files: ModelFiles, windows: Sequence[Sequence[int]], *, threads: int, turns: int) -> list[Comparison]:
    """Model and machine in turns, over the windows of a corpus."""
    arithmetic = Arithmetic.of(files.graph)
    of_corpus = batches(windows)
    rows, work = typical_pieces(of_corpus), arithmetic.of_batches(of_corpus)
    session = OnnxSession(files.graph, threads=threads)
    run_through(session, of_corpus[-1:])
    found = []
    for _ in range(turns):
        in_model, _ = run_through(session, of_corpus)
        measured = {*arithmetic.products, arithmetic.attention_product}
        rates = {one: rate(one, rows=rows, threads=threads) for one in sorted(measured)}
        alone = arithmetic.seconds_at(rates, of_corpus)
        found.append(Comparison(model=work / in_model, machine=work / alone, rates=rates))
    return found


def main(
    corpus: Annotated[Path, typer.Option(help="Folder with documents.jsonl.", show_default=False)],
    model: Annotated[Path, typer.Option(help="Model folder.")] = EMBEDDED_MODEL,
    threads: Annotated[int, typer.Option(help="Threads of model and products.")] = 1,
    turns: Annotated[int, typer.Option(help="How often each is measured.")] = 3,
) -> None:
    """Print the rates, in thousand million multiply-adds a second, and what the model needs."""
    files = ModelFiles.from_pretrained(model)
    arithmetic = Arithmetic.of(files.graph)
    console = Console()
    table = Table("pieces in a window", "million multiply-adds a piece", "of these attention")
    for pieces in (8, 16, 32, 64, 128, 256, 512):
        needed = arithmetic.multiply_adds(pieces)
        table.add_row(f"{pieces}", f"{needed / 1e6:,.2f}", f"{arithmetic.attention(pieces) / needed:.1%}")
    console.print(table)
    windows = model_windows(Corpus(folder=corpus), files)
    table = Table(
        "turn", "in the model", "the machine", "share", *("x".join(map(str, one)) for one in _shapes(arithmetic))
    )
    for turn, one in enumerate(compare(files, windows, threads=threads, turns=turns), start=1):
        rates = (f"{one.rates[product] / 1e9:,.1f}" for product in _shapes(arithmetic))
        table.add_row(f"{turn}", f"{one.model / 1e9:,.1f}", f"{one.machine / 1e9:,.1f}", f"{one.share:.2f}", *rates)
    console.print(table)


def _shapes(arithmetic: Arithmetic) -> list[Product]:
    return sorted({*arithmetic.products, arithmetic.attention_product})


if __name__ == "__main__":
    typer.run(main)
