"""Models and texts for the speed suite's tests: what they need of torch, Ray and rivals is in the extra `bench`."""

from pathlib import Path

import pytest

from actors.model_files import EMBEDDED_MODEL
from benchmarks.corpus import write_corpus
from benchmarks.float_weights import save_float_weights
from benchmarks.random_bert import BertShape, save_model
from pipelines.models.importing import import_model

SHARED = Path(__file__).parents[3] / "shared"
SHAPE = BertShape(layers=2, hidden=32, heads=4, intermediate=64, vocabulary=600, positions=512)
"""Tiny, but no sentence is longer than its positions."""


@pytest.fixture(scope="session")
def dev():
    """The development abstracts, as JSON lines."""
    return SHARED / "jnlpba" / "dev.jsonl"


@pytest.fixture(scope="session")
def random_model(tmp_path_factory):
    """A random BERT as ONNX graph."""
    return save_model(tmp_path_factory.mktemp("random") / "onnx", SHAPE)


@pytest.fixture(scope="session")
def random_pair(random_model):
    """Its weights for transformers, and the float32 model that is imported of these."""
    return make_pair(random_model, random_model.parent)


@pytest.fixture(scope="session")
def embedded_pair(tmp_path_factory):
    """The same two of the embedded model."""
    return make_pair(EMBEDDED_MODEL, tmp_path_factory.mktemp("embedded"))


def make_pair(source, folder):
    weights = save_float_weights(source, folder / "weights")
    import_model(weights, folder / "float32")
    return weights, folder / "float32"


@pytest.fixture(scope="session")
def a_dozen(dev, tmp_path_factory):
    """The first abstracts."""
    return write_corpus(dev, tmp_path_factory.mktemp("corpus") / "dozen", limit=12)


@pytest.fixture(scope="session")
def thirty(dev, tmp_path_factory):
    """Enough of them for the real model."""
    return write_corpus(dev, tmp_path_factory.mktemp("corpus") / "thirty", limit=30)
