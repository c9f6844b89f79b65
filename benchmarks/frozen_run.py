"""The chunks that the embedded model finds in JNLPBA's dev, kept: what is made faster must still find them.

`python -m benchmarks.frozen_run` compares, and ends with 1 where too many differ; with `--write` it keeps what is found
now, after a change that is meant to change it. No text is kept: ids, offsets and entities.

Which chunk is found may hang on the last bits of a sum, and those on the CPU's instructions and on ONNX Runtime's
version. So the very same chunks are asked for where both are what they were, and nearly the same ones elsewhere.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from actors.model_files import EMBEDDED_MODEL, ModelFiles
from benchmarks.environment import environment
from benchmarks.measurement import REPOSITORY, ChunkRow
from pipelines.light import LightPipeline

FROZEN = REPOSITORY / "benchmarks" / "measured" / "frozen-dev.json"
DEV = REPOSITORY.parent / "shared" / "jnlpba" / "dev.jsonl"
ELSEWHERE = 0.99
"""Of the chunks of both runs together, at least so many are in both on another CPU or ONNX Runtime."""


@dataclass(frozen=True, kw_only=True)
class FrozenRun:
    """Chunks, and where they were found.

    Attributes:
        where: What the last bits hang on: the CPU's flags, and the version of ONNX Runtime.
        chunks: All that were found.
    """

    where: dict[str, Any]
    chunks: frozenset[ChunkRow]

    def in_both(self, other: "FrozenRun") -> float:
        """The share of the chunks of both that are in both; 1 where there are none."""
        return len(self.chunks & other.chunks) / (len(self.chunks | other.chunks) or 1)

    def holds(self, other: "FrozenRun") -> bool:
        """Whether another run found what this one did, as far as may be asked."""
        return self.in_both(other) >= (1 if self.where == other.where else ELSEWHERE)

    def write(self, path: Path) -> None:
        """Writes it as JSON, a line a document."""
        by_document: dict[str, list[tuple[int, int, str]]] = {}
        for document_id, start, end, entity in sorted(self.chunks):
            by_document.setdefault(document_id, []).append((start, end, entity))
        lines = ",\n".join(
            f"{json.dumps(one)}: {json.dumps(found, separators=(',', ':'))}" for one, found in by_document.items()
        )
        path.write_text(f'{{"where": {json.dumps(self.where)},\n"chunks": {{\n{lines}\n}}}}\n', encoding="utf-8")

    @classmethod
    def read(cls, path: Path = FROZEN) -> "FrozenRun":
        """What `write` wrote."""
        kept = json.loads(path.read_text(encoding="utf-8"))
        chunks = (ChunkRow(one, *chunk) for one, found in kept["chunks"].items() for chunk in found)
        return cls(where=kept["where"], chunks=frozenset(chunks))


def run_now(corpus: Path = DEV, model: Path = EMBEDDED_MODEL) -> FrozenRun:
    """Tags a JSONL corpus with LightPipeline, with the model's own settings."""
    documents = [json.loads(line) for line in corpus.read_text(encoding="utf-8").splitlines()]
    pipeline = LightPipeline(ModelFiles.from_pretrained(model), threads=2)
    annotated = pipeline.annotate([one["text"] for one in documents])
    here = environment()
    return FrozenRun(
        where={"flags": here["machine"]["flags"], "onnxruntime": here["versions"]["onnxruntime"]},
        chunks=frozenset(
            ChunkRow(document["document_id"], chunk["start"], chunk["end"], chunk["entity"])
            for document, found in zip(documents, annotated, strict=True)
            for chunk in found
        ),
    )


def main(
    write: Annotated[bool, typer.Option("--write", help=f"Keep what is found now, in {FROZEN.name}.")] = False,
) -> None:
    """Compare what is found now with what was kept."""
    if not DEV.exists():
        typer.echo(f"{DEV}: no such file; put shared/ beside the project", err=True)
        raise typer.Exit(1)
    now = run_now()
    if write:
        now.write(FROZEN)
        typer.echo(f"{len(now.chunks):,} chunks are kept in {FROZEN}")
        return
    frozen = FrozenRun.read()
    same = len(frozen.chunks & now.chunks)
    typer.echo(
        f"{same:,} chunks are in both, {len(frozen.chunks) - same:,} were found before only, "
        f"{len(now.chunks) - same:,} are found now only"
    )
    if not frozen.holds(now):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
