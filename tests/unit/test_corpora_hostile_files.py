"""What is the same for every format: whatever the bytes are, they end as records and one clear line."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.corpora.formats import READERS
from pipelines.corpora.input_files import InputError
from pipelines.corpora.records import ReaderOptions

ROOT = Path(__file__).parents[2]


def noise(number):
    """Text that does not compress away."""
    return f"{number} {(number + 7) ** 40}"


def jats(number):
    meta = f"<article-meta><title-group><article-title>{noise(number)}</article-title></title-group></article-meta>"
    return f"<article><front>{meta}</front></article>"


def bioc_xml(number):
    return f"<document><id>1</id><passage><offset>0</offset><text>{noise(number)}</text></passage></document>"


def bioc_json(number):
    return json.dumps({"id": "1", "passages": [{"offset": 0, "text": noise(number)}]})


NUMBERS = range(3000)
FILES = {
    "jats": "<pmc-articleset>" + "".join(map(jats, NUMBERS)) + "</pmc-articleset>",
    "xml": "<articles>" + "".join(map(jats, NUMBERS)) + "</articles>",
    "bioc-xml": "<collection>" + "".join(map(bioc_xml, NUMBERS)) + "</collection>",
    "bioc-json": '{"documents": [' + ",".join(map(bioc_json, NUMBERS)) + "]}",
    "pubtator": "\n\n".join(f"1|t|{noise(number)}" for number in NUMBERS),
    "conll": "\n\n".join(noise(number).replace(" ", " O\n") + " O" for number in NUMBERS),
    "csv": "text\n" + "\n".join(map(noise, NUMBERS)),
    "tsv": "text\n" + "\n".join(map(noise, NUMBERS)),
}
WHOLE = {name: gzip.compress(text.encode(), mtime=0) for name, text in FILES.items()}


def read_all(path, name):
    """Texts of the good records, and the reason why there are no more."""
    texts = []
    try:
        for record in READERS[name](str(path), ReaderOptions()):
            texts += [record.text] if record.error is None else []
    except InputError as error:
        return texts, error.reason
    return texts, None


@pytest.mark.parametrize("name", FILES)
def test_every_record_of_a_sound_file_is_read(tmp_path, name):
    (tmp_path / "a.gz").write_bytes(WHOLE[name])
    assert read_all(tmp_path / "a.gz", name) == ([noise(number) for number in NUMBERS], None)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("cut", [5, 20_000])
def test_the_records_before_the_cut_of_gzip_data_stand(tmp_path, name, cut):
    (tmp_path / "a.gz").write_bytes(WHOLE[name][:-cut])
    texts, reason = read_all(tmp_path / "a.gz", name)
    assert reason == "the gzip data is cut off before its end; download or copy the file again"
    assert len(texts) > 100
    assert texts == [noise(number) for number in range(len(texts))]


@pytest.mark.parametrize("name", FILES)
def test_the_records_before_damage_in_gzip_data_stand(tmp_path, name):
    (tmp_path / "a.gz").write_bytes(WHOLE[name][:-8] + bytes(8))
    texts, reason = read_all(tmp_path / "a.gz", name)
    assert reason.startswith("the gzip data is damaged (CRC check failed")
    assert texts == [noise(number) for number in range(len(texts))]
    assert len(texts) >= len(NUMBERS) - 1


@pytest.mark.parametrize("name", sorted(set(READERS) - {"parquet"}))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.binary() | st.text("<>&;!-[]{}\",'\t\n |:#0aT").map(str.encode))
def test_no_bytes_end_the_job(tmp_path, name, data):
    path = tmp_path / "a.txt"
    path.write_bytes(data)
    try:
        for record in READERS[name](str(path), ReaderOptions()):
            assert record.text is None or record.error is None
    except InputError as error:
        assert "\n" not in error.reason  # noqa: PT017  # raised or not, both are right


BOMBS = {
    "jats": (b"<pmc-articleset>", b"<x/>" * 4096),
    "bioc-xml": (b"<collection><document>", b"<passage><text>a</text></passage>" * 512),
    "bioc-json": (b'{"documents":[[', b"[]," * 5000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_in_gzip_ends_with_little_memory(tmp_path, name):
    """80 MB in one record: it ends with an error, in a process that may not have 1 GB."""
    start, more = BOMBS[name]
    path = tmp_path / "a.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(start)
        chunk = more * 64
        for _ in range(80_000_000 // len(chunk)):
            file.write(chunk)
    code = (
        "import resource, sys; from pipelines.corpora.formats import READERS\n"
        "from pipelines.corpora.input_files import InputError\n"
        "from pipelines.corpora.records import ReaderOptions\n"
        "count = errors = 0\n"
        "try:\n"
        "    for record in READERS[sys.argv[1]](sys.argv[2], ReaderOptions()):\n"
        "        count += 1; errors += record.error is not None\n"
        "except InputError: errors += 1\n"
        "print(count, errors, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)\n"
    )
    command = [sys.executable, "-c", code, name, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    count, errors, peak = map(int, done.stdout.split())
    assert errors == 1
    assert count <= 1
    assert peak < 1000
