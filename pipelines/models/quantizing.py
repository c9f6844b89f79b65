"""`cytotag model quantize`: a model folder made into one of int8, its scales measured on texts of the user's."""

import itertools
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from actors.model_files import ModelFiles
from actors.token_classifier import TokenClassifier
from pipelines.corpora.formats import READERS
from pipelines.corpora.input_files import InputError, find_input_files
from pipelines.corpora.records import ReaderOptions, Record
from pipelines.models import onnx_file
from pipelines.models.comparison import documents_of, windows_of
from pipelines.models.model_folder import new_folder
from pipelines.models.model_manifest import NAME, ModelManifest, hash_files
from pipelines.models.quantization import quantize_graph

MOST_DOCUMENTS = 2000
"""Documents that are read of the calibration files, at most."""
HELD_BACK = 5
"""Every fifth document measures what the quantized model does to texts that its scales were not taken from."""
MOST_HELD_BACK = 50
SEED = 1


@dataclass(frozen=True, kw_only=True)
class Quantized:
    """What came out.

    Attributes:
        bytes_before: The graph with its weights.
        bytes_after: The same.
        sentences: That the scales were measured on.
        words: That were tagged with both models.
        equal: Share of them with the same tag.
        held_back: Whether these are of documents that the scales were not measured on.
    """

    bytes_before: int
    bytes_after: int
    sentences: int
    words: int
    equal: float
    held_back: bool


def quantize_model(
    folder: Path, target: Path, calibration: Sequence[str], *, sentences: int, overwrite: bool = False
) -> Quantized:
    """Makes `target` of `folder`, whole or not at all.

    Args:
        folder: A model folder with a float32 graph.
        target: The folder to make.
        calibration: Files, folders or patterns of texts in any format that is read.
        sentences: The most windows that scales are measured on; drawn at random, the same ones each time.
        overwrite: Whether a model that `target` holds is replaced.

    Raises:
        InputError: There is no text in the calibration files.
        ModelError: The model cannot be loaded or quantized.
        OutputError: `target` holds something already, or cannot be written.
    """
    model = ModelFiles.from_pretrained(folder)
    documents = list(itertools.islice(_records(calibration), MOST_DOCUMENTS))
    measured = [record for number, record in enumerate(documents) if number % HELD_BACK != HELD_BACK - 1]
    held_back = documents[HELD_BACK - 1 :: HELD_BACK][:MOST_HELD_BACK]
    windows = windows_of(documents_of(model, measured))
    if not windows:
        raise InputError(", ".join(calibration), "no text in it; name files with texts such as are to be tagged")
    drawn = random.Random(SEED).sample(windows, min(sentences, len(windows)))  # noqa: S311  # no cryptography
    manifest = ModelManifest.read(folder)
    with new_folder(target, source=folder, overwrite=overwrite) as stage, tempfile.TemporaryDirectory() as scratch:
        for path in folder.iterdir():
            if path.is_file() and path.name != NAME and not path.name.startswith(onnx_file.GRAPH):
                shutil.copyfile(path, stage / path.name)
        quantize_graph(model.graph, drawn, stage, Path(scratch))
        table = documents_of(model, held_back or measured)
        before, after = (_tags(one, table) for one in (model, ModelFiles.from_pretrained(stage)))
        done = Quantized(
            bytes_before=_graph_bytes(folder),
            bytes_after=_graph_bytes(stage),
            sentences=len(drawn),
            words=len(before),
            equal=float((before == after).mean()) if len(before) else 1.0,
            held_back=bool(held_back),
        )
        what = f"quantized to int8 for CPUs; scales fixed on {done.sentences:,} sentences of {', '.join(calibration)}"
        ModelManifest(
            origin=str(folder),
            layout=manifest.layout if manifest else "model folder",
            precision="int8",
            done=(*(manifest.done if manifest else ()), what),
            compared={"words": done.words, "same_tag": done.equal, "held_back": done.held_back},
            files=hash_files(stage),
        ).write(stage)
    return done


def _records(inputs: Sequence[str]) -> Iterator[Record]:
    for file in find_input_files(inputs):
        for record in READERS[file.format](file.path, ReaderOptions()):
            if record.text and record.error is None:
                yield record


def _tags(model: ModelFiles, documents: pa.Table) -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """The tag ids of all words. *Shape:* (words,)."""
    tokens = TokenClassifier(model)(documents)["tokens"].combine_chunks().flatten()
    ids: np.ndarray[tuple[int], np.dtype[np.int16]] = tokens.field("tag_id").to_numpy()
    return ids


def _graph_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob(f"{onnx_file.GRAPH}*"))
