"""`cytotag model list`: the model folders that are there."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from actors.model_files import EMBEDDED_MODEL, ModelError, ModelFiles, read_json
from pipelines.corpora.input_files import InputError
from pipelines.models import onnx_file
from pipelines.models.labels import scheme_of
from pipelines.models.model_manifest import ModelManifest
from pipelines.tag_schemes import TagScheme


@dataclass(frozen=True, kw_only=True)
class ListedModel:
    """What a list says of a model folder.

    Attributes:
        path: The folder.
        problem: Why it cannot be used; nothing else is known then.
        family: `model_type` of its config.json.
        labels: Number and scheme.
        entities: In the order of the labels.
        bytes: Of the graph with its weights.
        precision: "fp32", "fp16", "bf16" or "int8".
        max_length: Word pieces that it takes at once.
        tag_policy: What is made of tags that break their scheme.
        threshold: What a chunk must score unless a user says otherwise.
        made: When cytotag made it, and from what.
    """

    path: Path
    problem: str | None = None
    family: str = ""
    labels: str = ""
    entities: tuple[str, ...] = ()
    bytes: int = 0
    precision: str = ""
    max_length: int = 0
    tag_policy: str = ""
    threshold: float = 0.0
    made: str = ""


def list_models(folders: Sequence[Path]) -> Iterator[ListedModel]:
    """The embedded model, and every folder in `folders` or below that has a `model.onnx` and a `config.json`.

    Raises:
        InputError: One of `folders` is not there.
    """
    yield _describe(EMBEDDED_MODEL)
    for folder in folders:
        if not folder.is_dir():
            raise InputError(str(folder), "no such folder; name one with model folders in it")
        for name, below, files in os.walk(folder):
            below[:] = sorted(one for one in below if not one.startswith("."))
            if {"model.onnx", "config.json"} <= set(files):
                yield _describe(Path(name))


def _describe(folder: Path) -> ListedModel:
    try:
        model = ModelFiles.from_pretrained(folder)
        manifest = ModelManifest.read(folder)
        return ListedModel(
            path=folder,
            family=str(read_json(folder / "config.json").get("model_type", "not said")),
            labels=f"{len(model.labels)} {scheme_of(model.labels)}",
            entities=TagScheme.of(model.labels).entities,
            bytes=sum(path.stat().st_size for path in folder.glob(f"{onnx_file.GRAPH}*")),
            precision=manifest.precision if manifest else _precision(model.graph),
            max_length=model.max_length,
            tag_policy=model.tag_policy,
            threshold=model.threshold,
            made=f"{manifest.made[:10]}, from {manifest.origin}" if manifest else "not made by cytotag",
        )
    except ModelError as error:
        return ListedModel(path=folder, problem=str(error))


def _precision(graph: Path) -> str:
    return onnx_file.precision(onnx_file.load(graph, with_weights=False))
