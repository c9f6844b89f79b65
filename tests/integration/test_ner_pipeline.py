"""The pipeline on a real Ray: the same chunks as in one process, whatever the actors and the blocks."""

import pytest
import ray.data

from actors.model_files import ModelFiles
from pipelines.compatibility import tokenizer_of
from pipelines.config import ActorPool
from pipelines.corpora.input_files import find_input_files
from pipelines.corpora.records import ReaderOptions
from pipelines.corpora.source import CorpusSource, read_corpus
from pipelines.light import LightPipeline
from pipelines.ner import build_ner_pipeline
from pipelines.poison_guard import start_attempts
from pipelines.schema import CHUNK
from pipelines.stages.ner_converter import NerConverter
from pipelines.stages.sentence_detector import SentenceDetector

TEXTS = [
    "IL-2 mRNA in Jurkat T cells.\nNF-kappa B binds the promoter of the IL-2 gene. It was seen in HeLa cells.",
    "",
    "Human monocytes express CD14, TNF-alpha and the glucocorticoid receptor.",
    "gp120 of HIV-1 " * 300,  # one sentence of many windows
    None,
] * 8


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    import json

    path = tmp_path_factory.mktemp("corpus") / "texts.jsonl"
    lines = [json.dumps({"document_id": str(number), "text": text}) for number, text in enumerate(TEXTS)]
    path.write_text("\n".join([*lines, "not JSON"]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def model():
    return ModelFiles.from_pretrained()


def run(corpus, model, *, actors, block_bytes):
    files = find_input_files([str(corpus)])
    source = CorpusSource(files, ReaderOptions(), block_bytes=block_bytes, covered={}, withdrawn={})
    return build_ner_pipeline(
        read_corpus(source),
        model=model,
        pool=ActorPool(min_size=actors, max_size=actors),
        attempts=start_attempts(),
        sentence_detector=SentenceDetector(),
        tokenizer=tokenizer_of(model, None),
        ner_converter=NerConverter(labels=model.labels, policy=model.tag_policy, threshold=model.threshold),
    ).materialize()


@pytest.mark.parametrize(("actors", "block_bytes"), [(1, 1 << 20), (2, 2_000)])
def test_chunks_equal_those_of_the_light_pipeline(data_context, corpus, model, actors, block_bytes):
    data_context.target_max_block_size = block_bytes * 12

    documents = run(corpus, model, actors=actors, block_bytes=block_bytes)

    rows = sorted(documents.take_all(), key=lambda row: row["ordinal"])
    assert [row["ordinal"] for row in rows] == list(range(len(TEXTS) + 1))
    assert [list(row["chunks"]) for row in rows[:-1]] == LightPipeline(model).annotate(TEXTS)
    assert "line 41" in rows[-1]["error"]
    assert all(
        row["text"][chunk["start"] : chunk["end"]] == chunk["text"] for row in rows[:-1] for chunk in row["chunks"]
    )
    assert sum(len(row["chunks"]) for row in rows) > 50


@pytest.mark.usefixtures("data_context")
def test_tasks_and_actors_are_separate_operators(corpus, model):
    documents = run(corpus, model, actors=1, block_bytes=1 << 20)

    operators = [line for line in documents.stats().splitlines() if line.startswith("Operator")]
    with_model = [line for line in operators if "TokenClassifier" in line]
    assert len(with_model) == 1
    assert "transform" not in with_model[0]
    tokenizing = next(line for line in operators if "Tokenizer.transform" in line)
    assert "ReadCorpus" in tokenizing  # reading and the light stages are one task
    assert any("NerConverter.transform" in line for line in operators)


def test_every_block_has_the_schema(data_context, corpus, model):
    data_context.target_max_block_size = 24_000

    documents = run(corpus, model, actors=2, block_bytes=2_000)

    blocks = [ray.get(block) for bundle in documents.iter_internal_ref_bundles() for block in bundle.block_refs]
    assert len(blocks) > 2
    assert {block.schema.equals(CHUNK) for block in blocks} == {True}
