"""TokenClassifier: the actor that holds the model and gives every word its tag."""

import math
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from actors.collation import Int, equal_length_batches
from actors.execution_providers import Device
from actors.model_files import ModelError, ModelFiles, first_line
from actors.onnx_session import OnnxSession
from actors.session_options import SessionOptions

TOKEN_BUDGET = 1024
"""Word pieces in one run of the model, at most: enough to keep the matrix units busy, and few enough for several
threads to end their last runs together. From 512 to 4,096 the rate is the same (benchmarks/README.md)."""

TRIAL_LENGTH = 1024
"""Word pieces of the trial run, at most: attention over the longest inputs that models take can fill the memory."""

SHORT_TRIAL = 8
"""Word pieces: takes no time."""


MODEL_USE = pa.struct(
    [
        *(pa.field(name, pa.int32(), nullable=False) for name in ("windows", "pieces", "padding")),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("truncated", pa.int32(), nullable=False),
    ]
)
"""What the model did for a document: windows, their word pieces, pieces computed only to fill up batches, seconds, its
share of the time of the batches it was in, on one thread of a CPU, and words that are in no window."""


class TokenClassifier:
    """Any BERT-like token classifier in ONNX form (MedicalBertForTokenClassifier in Spark NLP for Healthcare).

    Called with a table of documents (TOKEN), it gives the same documents with tags in place of the model's inputs
    (TAG): the id of the most probable label of each word's first piece, and its softmax probability; -1 and 0 for a
    word without a piece. The result for a sentence depends on that sentence alone, whatever the batch and the number of
    actors.

    Args:
        model: The files to load.
        device: Where the model runs.
        threads: Threads of the model. On a CPU each runs batches of its own, all with the same weights: those of one
            run wait for each other at every operator, and two do 1.4 to 1.8 times the work of one.
        session_options: How the model computes, beyond that.
        trial: Word pieces of the trial run, at most. A short one starts sooner and shows all but that a long window
            fails; who asks for it calls `check` when documents fail, as `pipelines.isolation.classify` does.

    Raises:
        ModelError: The model cannot be loaded; or a trial run shows that it is not one with its tokenizer (an id too
            large), its settings (a window too long) or its labels (another number of them).
    """

    def __init__(
        self,
        model: ModelFiles,
        *,
        device: Device = "cpu",
        threads: int = 1,
        session_options: SessionOptions | None = None,
        trial: int = TRIAL_LENGTH,
    ) -> None:
        if device == "openvino":
            TokenClassifier(model)  # for the trial run: of an id beyond a table, OpenVINO says nothing
        at_once = threads if device == "cpu" else 1
        self._session = OnnxSession(model.graph, device=device, threads=threads // at_once, options=session_options)
        self._at_once = at_once
        self._map: Callable[..., Iterable[Any]] = ThreadPoolExecutor(at_once).map if at_once > 1 else map
        self._model = model
        self.check(trial)

    def check(self, longest: int = TRIAL_LENGTH) -> None:
        """Runs the model on the largest word piece id that it must take: what loads may still not run.

        Args:
            longest: Word pieces of the input, but no more than the model takes.

        Raises:
            ModelError: It fails, or gives another number of labels than the model's settings name.
        """
        model = self._model
        pieces = min(model.max_length, longest)
        try:
            labels = self._session.count_labels(np.full((1, pieces), model.largest_piece, dtype=np.int64))
        except ModelError:
            raise
        except Exception as error:  # ONNX Runtime's own exceptions have no common class
            raise ModelError(
                f"{model.graph}: a trial run on {pieces} word pieces of id {model.largest_piece}, the tokenizer's "
                f"largest, failed ({first_line(error)}); take model, tokenizer and config.json from the same model, or "
                f"set a smaller `model_max_length` in tokenizer_config.json"
            ) from None
        if labels != len(model.labels):
            raise ModelError(
                f"{model.folder}: model.onnx gives {labels} labels, config.json names {len(model.labels)} "
                f"(`id2label`); take both from the same model"
            )

    def __call__(self, table: pa.Table) -> pa.Table:
        """TOKEN to TAG, row by row."""
        windows = table["windows"].combine_chunks()
        tokens = table["tokens"].combine_chunks()
        words = tokens.flatten()
        window_counts, word_counts = _lengths(windows), _lengths(tokens)
        first_window = np.cumsum(window_counts) - window_counts
        window = np.repeat(first_window, word_counts) + words.field("window_id").to_numpy()
        piece = words.field("piece").to_numpy()
        tag_ids, scores = np.full(len(piece), -1, dtype=np.int16), np.zeros(len(piece), dtype=np.float32)
        read = piece >= 0
        tag_ids[read], scores[read], use = self._classify(windows.flatten(), window[read], piece[read])
        in_no_window = np.repeat(np.arange(len(word_counts)), word_counts)[words.field("window_id").to_numpy() < 0]
        truncated = np.bincount(in_no_window, minlength=len(word_counts))
        columns = {name: words.field(name) for name in ("sentence_id", "start", "end")}
        tagged = pa.StructArray.from_arrays(
            [*columns.values(), pa.array(tag_ids), pa.array(scores)],
            fields=[pa.field(name, pa.int32(), nullable=False) for name in columns]
            + [pa.field("tag_id", pa.int16(), nullable=False), pa.field("score", pa.float32(), nullable=False)],
        )
        bounds = np.concatenate([[0], np.cumsum(word_counts)]).astype(np.int32)
        column = pa.ListArray.from_arrays(pa.array(bounds), tagged, type=pa.list_(tagged.type))
        return (
            table.drop_columns(["windows", "tokens"])
            .append_column(pa.field("model_use", MODEL_USE), use.by_document(window_counts, truncated))
            .append_column(pa.field("tokens", column.type, nullable=False), column)
        )

    def _classify(
        self, windows: pa.ListArray, window: Int, piece: Int
    ) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.float32], "_Use"]:
        """Tag id and score of each word, read at `piece` of `window`, *shapes:* (words,); and what it took."""
        tag_ids, scores = np.zeros(len(window), dtype=np.int16), np.zeros(len(window), dtype=np.float32)
        lengths = _lengths(windows)
        starts = np.cumsum(lengths) - lengths
        use = _Use(lengths, np.zeros_like(lengths), np.zeros(len(lengths)))
        input_ids = windows.flatten().to_numpy().astype(np.int64)
        words_by_window = np.argsort(window, kind="stable")
        word_counts = np.bincount(window, minlength=len(lengths))
        word_starts = np.cumsum(word_counts) - word_counts
        budget = min(TOKEN_BUDGET, math.ceil(len(input_ids) / self._at_once))  # a few windows are shared out, too
        batches = list(equal_length_batches(lengths, budget))

        def classify(batch: Int) -> None:
            inputs = input_ids[starts[batch][:, None] + np.arange(lengths[batch[0]])]
            words = words_by_window[_ranges(word_starts[batch], word_counts[batch])]
            row = np.repeat(np.arange(len(batch)), word_counts[batch])
            began = time.perf_counter()
            tag_ids[words], scores[words] = self._session.run(inputs, (row, piece[words]))
            use.seconds[batch] = (time.perf_counter() - began) / len(batch)
            use.padding[batch] = inputs.shape[1] - lengths[batch]

        for _ in self._map(classify, reversed(batches)):  # the longest first, so that all threads end together
            pass
        return tag_ids, scores, use


class _Use(NamedTuple):
    """What each window took. *Shapes:* (windows,)."""

    pieces: Int
    padding: Int
    seconds: npt.NDArray[np.float64]

    def by_document(self, window_counts: Int, truncated: Int) -> pa.StructArray:
        """The sums of each document, MODEL_USE; null for one without windows. *Shapes of both:* (documents,)."""
        document = np.repeat(np.arange(len(window_counts)), window_counts)
        sums = [
            window_counts,
            *(np.bincount(document, weights=values, minlength=len(window_counts)) for values in self),
            truncated,
        ]
        arrays = [pa.array(values).cast(field.type) for values, field in zip(sums, MODEL_USE, strict=True)]
        return pa.StructArray.from_arrays(arrays, fields=list(MODEL_USE), mask=pa.array(window_counts == 0))


def _lengths(lists: pa.ListArray) -> Int:
    lengths: Int = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def _ranges(starts: Int, counts: Int) -> Int:
    """All the numbers of the ranges that begin at `starts` and hold `counts` numbers, end to end."""
    return np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(counts.sum())
