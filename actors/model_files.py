"""A model on disk: a folder as Hugging Face lays it out, with an ONNX graph in it."""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, get_args

import tokenizers

EMBEDDED_MODEL = Path(__file__).parent / "embedded_model"
"""The model that ships with the package: MiniLM-L6 fine-tuned on JNLPBA, int8 (its README.md is the model card)."""

TagPolicy = Literal["cut", "spark", "strict"]
"""What is made of tags that break their scheme; `pipelines.tag_schemes` says what each does."""

MAX_LABELS = 2**15
"""Tag ids are int16."""

SHORTEST_INPUT = 8
"""Word pieces: fewer leave no room for windows that overlap."""

LONGEST_INPUT = 10**6
"""Word pieces: what tokenizers say that know of no limit is more, such as 1e30."""


COUNT_FROM_PADDING = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "roberta-prelayernorm", "camembert", "data2vec-text", "xmod", "ibert"}
)
"""Families whose position table begins to count behind the padding's id, so that many of its rows are never used."""


class ModelError(ValueError):
    """A model folder that cannot be used; the message names the file and says what to do."""


def first_line(error: Exception) -> str:
    """What an exception of a library says, as part of a message of one line."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """What the pipeline has to know of a model before it loads it.

    Attributes:
        folder: Holds `model.onnx`, `config.json`, and `tokenizer.json` or `vocab.txt`.
        labels: The tag of each output column, such as "B-protein".
        max_length: The most word pieces the model takes at once, special tokens included.
        largest_piece: The largest id in the tokenizer's vocabulary.
        tag_policy: `tag_policy` of `config.json`, where somebody measured which one suits the model; else "cut".
        threshold: `threshold` of `config.json`, likewise: what a chunk must score unless a user says otherwise; else 0.
    """

    folder: str
    labels: tuple[str, ...]
    max_length: int
    largest_piece: int
    tag_policy: TagPolicy = "cut"
    threshold: float = 0.0

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None) -> Self:
        """Reads a model folder, or that of the embedded model when `path` is None. Nothing is ever downloaded.

        Raises:
            ModelError: The folder or one of its files is missing or broken, or `config.json` does not say what it has
                to.
        """
        folder = Path(path) if path is not None else EMBEDDED_MODEL
        if not folder.is_dir():
            raise ModelError(
                f"{folder}: no such model folder; give one with model.onnx, config.json and tokenizer.json"
            )
        if not (folder / "model.onnx").is_file():
            raise ModelError(f"{folder}: no model.onnx; export the model to ONNX into this folder")
        config = read_json(folder / "config.json")
        return cls(
            folder=str(folder.absolute()),  # a worker may run in another folder
            labels=read_labels(config, folder / "config.json"),
            max_length=_max_length(config, folder),
            largest_piece=_largest_piece(folder),
            tag_policy=_tag_policy(config, folder),
            threshold=_threshold(config, folder),
        )

    @property
    def graph(self) -> Path:
        """The ONNX file."""
        return Path(self.folder) / "model.onnx"

    def sha256(self) -> str:
        """The SHA-256 of the ONNX file, in hexadecimal: what a manifest names a model by.

        Weights that stand beside the graph, as `model.onnx.data` or `model.onnx_data`, count to it.
        """
        digest = hashlib.sha256()
        for path in sorted(self.graph.parent.glob("model.onnx*")):
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        return digest.hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a model folder.

    Raises:
        ModelError: It is not there, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: not there; it must name the model's labels (`id2label`)") from None
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: not a JSON object")
    return content


def read_labels(config: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    """The labels that `id2label` of a `config.json` names, in the order of their numbers.

    Raises:
        ModelError: They are not numbered from 0 on; `path` is the file that the message names.
    """
    id2label = config.get("id2label")
    if not isinstance(id2label, dict) or not id2label:
        raise ModelError(f"{path}: no `id2label`; add it, as in {{'0': 'O', '1': 'B-protein', ...}}")
    try:
        by_id = {int(label_id): str(label) for label_id, label in id2label.items()}
    except ValueError:
        raise ModelError(f"{path}: the keys of `id2label` must be numbers") from None
    if sorted(by_id) != list(range(len(by_id))):
        raise ModelError(f"{path}: `id2label` must number its {len(by_id)} labels from 0 without a gap")
    if len(by_id) > MAX_LABELS:
        raise ModelError(f"{path}: {len(by_id):,} labels; a tag id holds {MAX_LABELS:,} at most")
    return tuple(by_id[label_id] for label_id in range(len(by_id)))


def _tag_policy(config: dict[str, Any], folder: Path) -> TagPolicy:
    policy: TagPolicy = config.get("tag_policy", "cut")
    if policy not in get_args(TagPolicy):
        raise ModelError(
            f"{folder / 'config.json'}: `tag_policy` is {policy!r}; it must be one of {', '.join(get_args(TagPolicy))}"
        )
    return policy


def _threshold(config: dict[str, Any], folder: Path) -> float:
    threshold = config.get("threshold", 0.0)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise ModelError(f"{folder / 'config.json'}: `threshold` is {threshold!r}; it must be a number from 0 to 1")
    return float(threshold)


def _max_length(config: dict[str, Any], folder: Path) -> int:
    """The smaller of what the tokenizer's settings allow and of what the positions do."""
    positions = _number(config, "max_position_embeddings", folder / "config.json")
    family = config.get("model_type")
    if family in COUNT_FROM_PADDING:
        padding = _number(config, "pad_token_id", folder / "config.json")
        positions -= (1 if padding == sys.maxsize else padding) + 1
    elif family == "mpnet":  # counts from 2, whatever id its padding has
        positions -= 2
    settings = folder / "tokenizer_config.json"
    allowed = _number(read_json(settings), "model_max_length", settings) if settings.is_file() else sys.maxsize
    max_length = int(min(positions, allowed))
    if max_length > LONGEST_INPUT:
        raise ModelError(
            f"{folder / 'config.json'}: no `max_position_embeddings`, so the longest input is not known; add it"
        )
    if max_length < SHORTEST_INPUT:
        raise ModelError(
            f"{folder}: the model takes {max_length} word pieces at once, by `max_position_embeddings` in config.json "
            f"and `model_max_length` in tokenizer_config.json; correct them, {SHORTEST_INPUT} is the least"
        )
    return max_length


def _number(settings: dict[str, Any], name: str, path: Path) -> float:
    """A number, or `sys.maxsize` where it is missing or null."""
    number = settings.get(name)
    if number is None:
        return sys.maxsize
    if not isinstance(number, int | float) or number != number:
        raise ModelError(f"{path}: `{name}` is {number!r}; it must be a number")
    return number


def _largest_piece(folder: Path) -> int:
    """Reads the tokenizer's vocabulary, which also shows whether its file can be read at all."""
    path = next((folder / name for name in ("tokenizer.json", "vocab.txt") if (folder / name).is_file()), None)
    if path is None:
        raise ModelError(f"{folder}: neither tokenizer.json nor vocab.txt; copy the model's tokenizer into this folder")
    try:
        if path.name == "tokenizer.json":
            vocabulary = tokenizers.Tokenizer.from_file(str(path)).get_vocab()
        else:
            vocabulary = tokenizers.models.WordPiece.read_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise ModelError(f"{path}: not a tokenizer's file ({first_line(error)}); copy the model's own") from None
    if path.name == "vocab.txt" and (missing := [t for t in ("[UNK]", "[CLS]", "[SEP]") if t not in vocabulary]):
        raise ModelError(
            f"{path}: no {', '.join(missing)} in it; a vocabulary like BERT's, one piece a line, is needed"
        )
    if not vocabulary:
        raise ModelError(f"{path}: its vocabulary is empty; copy the model's own tokenizer")
    return max(vocabulary.values())
