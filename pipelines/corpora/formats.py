"""Which reader reads which format."""

from pipelines.corpora.jsonl import read_jsonl
from pipelines.corpora.parquet import read_parquet
from pipelines.corpora.pubmed import read_pubmed
from pipelines.corpora.records import Reader
from pipelines.corpora.text import read_text

READERS: dict[str, Reader] = {
    "text": read_text,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "pubmed": read_pubmed,
}
