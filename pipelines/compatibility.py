"""Modes that copy what another program does, for comparison with it."""

from typing import Literal

from actors.model_files import ModelFiles
from pipelines.first_fragments import load_first_fragments
from pipelines.stages.spark_tokenizer import SPARK_LENGTH, SparkTokenizer
from pipelines.stages.tokenizer import Tokenizer
from pipelines.tag_schemes import Policy

Compat = Literal["sparknlp"]
"""Spark NLP up to 6.1.1, but not its fault that a row without sentences shifts the results of the rows behind it. Its
SentenceDetectorDL is a TensorFlow model that cannot be run here: sentences stay ours. docs/compat.md says the rest."""


def tokenizer_of(model: ModelFiles, compat: Compat | None) -> Tokenizer | SparkTokenizer:
    """The stage that makes words and word pieces of sentences.

    Raises:
        ConfigError: The model has no vocabulary that Spark NLP could read.
    """
    if compat is None:
        return Tokenizer(folder=model.folder, max_length=model.max_length)
    load_first_fragments(model.folder)
    return SparkTokenizer(folder=model.folder, max_length=min(SPARK_LENGTH, model.max_length))


def policy_of(model: ModelFiles, compat: Compat | None) -> Policy:
    """What is made of tags that break their scheme."""
    return model.tag_policy if compat is None else "sparknlp"


def threshold_of(model: ModelFiles, compat: Compat | None) -> float:
    """What a chunk must score unless a user says otherwise."""
    return model.threshold if compat is None else 0.0
