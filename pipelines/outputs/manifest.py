"""The manifest: what a folder was made from, with what, and what came out."""

import datetime
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from pipelines.outputs.atomic_file import commit_text

NAME = "_manifest.json"
RECORDED_VERSIONS = ("cytotag", "ray", "onnxruntime", "tokenizers", "pyarrow", "numpy")

State = Literal["running", "finished", "finished with errors"]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Written when a run begins and, with its counts and times, when it ends; `running` is also what a kill leaves.

    Attributes:
        state: How far the run got.
        command: The command line.
        settings: What the output depends on beside the inputs and the model. A run that resumes must have the same.
        model: Folder, SHA-256 and labels.
        inputs: A row an input file: path, format, bytes, version, and at the end documents and whether it is complete.
        counts: Documents, sentences, tokens, chunks by entity, errors; of the whole folder.
        versions: Of Python and the packages that the output depends on.
        started: Time of the (last) start, UTC.
        seconds: From that start to the end; None while running.
    """

    state: State
    command: tuple[str, ...]
    settings: Mapping[str, Any]
    model: Mapping[str, Any]
    inputs: tuple[Mapping[str, Any], ...]
    counts: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=lambda: _versions())
    started: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    seconds: float | None = None

    def write(self, folder: Path) -> None:
        """Commits the manifest to the output folder."""
        commit_text(folder / NAME, json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads the manifest of an output folder.

        Raises:
            OSError: There is none.
            ValueError: It is not one of ours.
        """
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        try:
            return cls(**content)
        except TypeError as error:
            raise ValueError(f"{folder / NAME}: not a manifest of this version ({error})") from None


def _versions() -> dict[str, str]:
    return {"python": platform.python_version()} | {name: _version(name) for name in RECORDED_VERSIONS}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that was never installed
        return "not installed"
