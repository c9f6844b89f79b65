"""XML of a kind that its file's name does not tell."""

from collections.abc import Iterator

from lxml import etree

from pipelines.corpora.bioc_xml import BIOC, read_bioc_xml
from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.input_files import InputError
from pipelines.corpora.jats import JATS, read_jats
from pipelines.corpora.pubmed import PUBMED, read_pubmed
from pipelines.corpora.records import Reader, ReaderOptions, Record
from pipelines.corpora.xml_stream import pull_parser, syntax_message

READERS: dict[str, Reader] = {
    **dict.fromkeys(PUBMED.roots, read_pubmed),
    **dict.fromkeys(JATS.roots, read_jats),
    **dict.fromkeys(BIOC.roots, read_bioc_xml),
}
"""By the outermost element."""

_CHUNK_BYTES = 1 << 12
_PROLOG_BYTES = 1 << 20


def read_xml(path: str, options: ReaderOptions) -> Iterator[Record]:
    """Reads PubMed, JATS or BioC XML, whichever the file's outermost element says it is.

    That is looked up when the file's turn comes, so that a corpus of a million files, or one far away, can be listed
    without opening them.

    Raises:
        InputError: the file is none of these, or its reader raised.
    """
    root = root_tag(path)
    if root not in READERS:
        known = ", ".join(f"<{tag}>" for tag in READERS)
        raise InputError(path, f"XML of an unknown kind: it is a <{root}>; read are {known}")
    yield from READERS[root](path, options)


def root_tag(path: str) -> str:
    """The name of the outermost element, "{namespace}name" where it has one, from the file's first bytes.

    Raises:
        InputError: the file cannot be opened, or is not XML.
    """
    parser = pull_parser("start")
    read = 0
    with open_bytes(path) as file:
        try:
            while read < _PROLOG_BYTES:
                if not (data := file.read1(_CHUNK_BYTES)):
                    parser.close()  # raises, for it has seen no element
                    break
                read += len(data)
                parser.feed(data)
                for _, element in parser.read_events():
                    return str(element.tag)
        except etree.XMLSyntaxError as error:
            message = syntax_message(error)
            raise InputError(path, f"not XML, or broken at its start ({message}); check what the file is") from error
    raise InputError(path, f"no element in its first {_PROLOG_BYTES:,} bytes; check what the file is")
