"""LightPipeline: the same stages in one process, without Ray."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, overload

from actors.execution_providers import Device
from actors.model_files import ModelFiles
from actors.session_options import SessionOptions
from actors.token_classifier import SHORT_TRIAL, TokenClassifier
from pipelines.compatibility import Compat, policy_of, threshold_of, tokenizer_of
from pipelines.corpora.records import Record
from pipelines.isolation import classify
from pipelines.preparation import Preparation
from pipelines.stages.ner_converter import NerConverter
from pipelines.stages.sentence_detector import SentenceDetector

Chunk = dict[str, Any]
"""One found entity: `sentence_id`, `chunk_id`, `start`, `end`, `text`, `entity`, `score`."""


class LightPipeline:
    """Tags texts in memory (the LightPipeline of Spark NLP). Equal text gets equal chunks here and in a batch job.

    Args:
        model: The model's files.
        sentence_detector: How sentences are found.
        ner_converter: How tags become chunks; by default as `cytotag tag` does without options.
        compat: Whose behaviour to copy: "sparknlp" (docs/compat.md). A `ner_converter` has its own policy.
        device: Where the model runs.
        threads: Threads of the model.
        session_options: How the model computes, beyond that.
    """

    def __init__(
        self,
        model: ModelFiles,
        *,
        sentence_detector: SentenceDetector | None = None,
        ner_converter: NerConverter | None = None,
        compat: Compat | None = None,
        device: Device = "cpu",
        threads: int = 1,
        session_options: SessionOptions | None = None,
    ) -> None:
        tokenizer = tokenizer_of(model, compat)
        self._prepare = Preparation(model, source="text", sentence_detector=sentence_detector, tokenizer=tokenizer)
        self._classifier = TokenClassifier(
            model, device=device, threads=threads, session_options=session_options, trial=SHORT_TRIAL
        )
        self._ner_converter = ner_converter or NerConverter(
            labels=model.labels, policy=policy_of(model, compat), threshold=threshold_of(model, compat)
        )

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None, **options: Any) -> Self:
        """A pipeline over the model folder at `path`, or over the embedded model. `options` are those of the class.

        Raises:
            ModelError: The folder does not hold a usable model.
        """
        return cls(ModelFiles.from_pretrained(path), **options)

    @overload
    def annotate(self, texts: str) -> list[Chunk]: ...  # type: ignore[overload-overlap]  # a str is a Sequence[str]

    @overload
    def annotate(self, texts: Sequence[str | None]) -> list[list[Chunk]]: ...

    def annotate(self, texts: str | Sequence[str | None]) -> list[Chunk] | list[list[Chunk]]:
        """The chunks of a text, or of each text of a list; the texts of a list go through the model together.

        Raises:
            ValueError: A text that cannot be tagged, with a lone surrogate or one that the model raises on; it
                names the text's number.
            ModelError: The model fails whatever the text, or on each window as long as it should take.
        """
        if isinstance(texts, str):
            return self.annotate([texts])[0]
        records = [Record.of(None, text) for text in texts]
        table = self._ner_converter.transform(classify(self._classifier, self._prepare(records)))
        for number, error in enumerate(table["error"].to_pylist(), start=1):
            if error is not None:
                raise ValueError(f"text {number}: {error}")
        chunks: list[list[Chunk]] = table["chunks"].to_pylist()
        return chunks
