"""A model on disk: a folder as Hugging Face lays it out, with an ONNX graph in it."""

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

EMBEDDED_MODEL = Path(__file__).parent / "embedded_model"
"""The model that ships with the package: MiniLM-L6 fine-tuned on JNLPBA, int8 (its README.md is the model card)."""


class ModelError(ValueError):
    """A model folder that cannot be used; the message names the file and says what to do."""


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """What the pipeline has to know of a model before it loads it.

    Attributes:
        folder: Holds `model.onnx`, `config.json`, and `tokenizer.json` or `vocab.txt`.
        labels: The tag of each output column, such as "B-protein".
        max_length: The most word pieces the model takes at once, special tokens included.
    """

    folder: str
    labels: tuple[str, ...]
    max_length: int

    @classmethod
    def from_pretrained(cls, path: str | Path | None = None) -> Self:
        """Reads a model folder, or that of the embedded model when `path` is None. Nothing is ever downloaded.

        Raises:
            ModelError: The folder or one of its files is missing, or `config.json` does not say what it has to.
        """
        folder = Path(path) if path is not None else EMBEDDED_MODEL
        if not folder.is_dir():
            raise ModelError(
                f"{folder}: no such model folder; give one with model.onnx, config.json and tokenizer.json"
            )
        if not (folder / "model.onnx").is_file():
            raise ModelError(f"{folder}: no model.onnx; export the model to ONNX into this folder")
        if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.txt")):
            raise ModelError(
                f"{folder}: neither tokenizer.json nor vocab.txt; copy the model's tokenizer into this folder"
            )
        config = _read_json(folder / "config.json")
        return cls(folder=str(folder), labels=_labels(config, folder), max_length=_max_length(config, folder))

    @property
    def graph(self) -> Path:
        """The ONNX file."""
        return Path(self.folder) / "model.onnx"

    def sha256(self) -> str:
        """The SHA-256 of the ONNX file, in hexadecimal: what a manifest names a model by."""
        with self.graph.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: not there; it must name the model's labels (`id2label`)") from None
    except ValueError as error:
        raise ModelError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ModelError(f"{path}: not a JSON object")
    return content


def _labels(config: dict[str, Any], folder: Path) -> tuple[str, ...]:
    id2label = config.get("id2label")
    if not isinstance(id2label, dict) or not id2label:
        raise ModelError(f"{folder / 'config.json'}: no `id2label`; add it, as in {{'0': 'O', '1': 'B-protein', ...}}")
    try:
        by_id = {int(label_id): str(label) for label_id, label in id2label.items()}
    except ValueError:
        raise ModelError(f"{folder / 'config.json'}: the keys of `id2label` must be numbers") from None
    if sorted(by_id) != list(range(len(by_id))):
        raise ModelError(
            f"{folder / 'config.json'}: `id2label` must number its {len(by_id)} labels from 0 without a gap"
        )
    return tuple(by_id[label_id] for label_id in range(len(by_id)))


def _max_length(config: dict[str, Any], folder: Path) -> int:
    """The smaller of what the tokenizer's settings allow and of the position table."""
    positions = config.get("max_position_embeddings", sys.maxsize)
    if config.get("model_type") in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= config.get("pad_token_id", 1) + 1  # these count positions from behind the padding's id
    settings = folder / "tokenizer_config.json"
    allowed = _read_json(settings).get("model_max_length", sys.maxsize) if settings.is_file() else sys.maxsize
    max_length = int(min(positions, allowed))
    if max_length >= sys.maxsize:
        raise ModelError(
            f"{folder / 'config.json'}: no `max_position_embeddings`, so the longest input is not known; add it"
        )
    return max_length
