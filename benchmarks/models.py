"""The models of the speed suite, each in the forms that the sides read: the same weights, in int8 and as floats.

The embedded model is there in int8 only, so its floats are made of that. BERT-base is random: speed does not depend on
the weights, and nothing has to be downloaded.
"""

import math
from dataclasses import replace
from pathlib import Path

from actors.model_files import EMBEDDED_MODEL
from benchmarks.corpus import Corpus, write_corpus
from benchmarks.float_weights import save_float_weights
from benchmarks.measurement import BenchModel
from benchmarks.random_bert import REFERENCE, TINY, BertShape, save_model
from pipelines.models.importing import import_model
from pipelines.models.quantizing import quantize_model

EMBEDDED, BERT_BASE, SMOKE = "embedded", "BERT-base", "tiny BERT"
SMOKE_SHAPE = replace(TINY, positions=512)
"""So that no sentence is over its length: transformers would cut it off, and the chunks differ."""
CALIBRATION_SENTENCES = 200
"""For a random model, of which nobody wants the tags."""


def prepare_models(folder: Path, corpus: Corpus, *, smoke: bool) -> list[BenchModel]:
    """Makes the models in `folder`, but for what it holds already.

    Args:
        folder: Keeps them.
        corpus: What they are to tag, BERT-base the first quarter: it is eight times as slow. The scales of the random
            models' int8 are measured on it, too.
        smoke: Only a tiny random model, in the place of both.
    """
    if smoke:
        return [_random_model(SMOKE, folder / "tiny", SMOKE_SHAPE, corpus, copies=2)]
    quarter = write_corpus(corpus.documents, corpus.folder / "quarter", limit=math.ceil(corpus.size / 4))
    return [
        _embedded(folder / "embedded", corpus),
        _random_model(BERT_BASE, folder / "bert-base", REFERENCE, quarter, copies=3),
    ]


def _embedded(folder: Path, corpus: Corpus) -> BenchModel:
    weights, float32 = folder / "weights", folder / "float32"
    if not float32.exists():  # the last that is made, and there whole or not at all
        save_float_weights(EMBEDDED_MODEL, weights)
        import_model(weights, float32, overwrite=True)
    return BenchModel(name=EMBEDDED, int8=EMBEDDED_MODEL, float32=float32, weights=weights, corpus=corpus, copies=5)


def _random_model(name: str, folder: Path, shape: BertShape, corpus: Corpus, *, copies: int) -> BenchModel:
    weights, float32, int8 = folder / "weights", folder / "float32", folder / "int8"
    if not int8.exists():
        save_float_weights(save_model(folder / "graph", shape), weights)
        import_model(weights, float32, overwrite=True)
        quantize_model(float32, int8, [str(corpus.documents)], sentences=CALIBRATION_SENTENCES)
    return BenchModel(name=name, int8=int8, float32=float32, weights=weights, corpus=corpus, copies=copies)
