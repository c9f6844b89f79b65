"""Which reader reads which format."""

from pipelines.corpora.bioc_json import read_bioc_json
from pipelines.corpora.bioc_xml import read_bioc_xml
from pipelines.corpora.brat import read_brat
from pipelines.corpora.conll import read_conll
from pipelines.corpora.delimited import read_csv, read_tsv
from pipelines.corpora.jats import read_jats
from pipelines.corpora.jsonl import read_jsonl
from pipelines.corpora.parquet import read_parquet
from pipelines.corpora.pubmed import read_pubmed
from pipelines.corpora.pubtator import read_pubtator
from pipelines.corpora.records import Reader
from pipelines.corpora.text import read_text
from pipelines.corpora.xml_root import read_xml

READERS: dict[str, Reader] = {
    "text": read_text,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "pubmed": read_pubmed,
    "jats": read_jats,
    "xml": read_xml,
    "bioc-xml": read_bioc_xml,
    "bioc-json": read_bioc_json,
    "pubtator": read_pubtator,
    "conll": read_conll,
    "csv": read_csv,
    "tsv": read_tsv,
    "brat": read_brat,
}
