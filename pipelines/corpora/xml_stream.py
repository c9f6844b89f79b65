"""The records of a large XML file, one element at a time, and nothing that the file could do to us besides."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BufferedIOBase

from lxml import etree

from pipelines.corpora.byte_stream import open_bytes
from pipelines.corpora.input_files import InputError

MAX_UNPACKED_BYTES = 4 << 30
"""What a compressed file may grow to: ten times the largest of PubMed's baseline. A gzip bomb ends here."""
MAX_RECORD_BYTES = 32 << 20
"""Of XML, between the ends of two records. All of it stands in memory."""
MAX_RECORD_TAGS = 4_000_000
"""As many "<" between the ends of two records: 32 MiB of empty elements would be a gigabyte of nodes."""

CHUNK_BYTES = 1 << 16
_LIBXML2_ADVICE = re.compile(", (?:try|use) XML_PARSE_HUGE(?: option)?")  # nothing that a user could set


@dataclass(frozen=True, kw_only=True)
class XmlRecords:
    """Where the records of an XML format stand.

    Attributes:
        name: the format's, such as "PubMed".
        tags: the elements that are records; none stands within another.
        roots: what a file's outermost element may be; the first is the usual one.
        between: elements that are handed out as well where they stand outside records, and are not counted.
    """

    name: str
    tags: tuple[str, ...]
    roots: tuple[str, ...]
    between: tuple[str, ...] = ()

    @cached_property
    def end(self) -> re.Pattern[bytes]:
        """The end tag of a record."""
        return re.compile(rb"</(?:%b)>" % b"|".join(tag.encode() for tag in self.tags))


def read_elements(path: str, records: XmlRecords) -> Iterator[etree._Element]:
    """The records of a file, in a single pass; each is emptied when the next is asked for, so memory stays flat.

    Raises:
        InputError: the file cannot be opened, or from some record on is not what it should be.
    """
    count = 0
    with open_bytes(path) as file:
        parser = pull_parser("end", (*records.tags, *records.between))
        try:
            for chunk in _chunks(file, path, records):
                parser.feed(chunk)
                _refuse_errors(parser)
                for _, element in parser.read_events():
                    is_record = element.tag in records.tags
                    if any(outer.tag in records.tags for outer in element.iterancestors()):
                        if not is_record:
                            continue
                        reason = f"after record {count} a <{element.tag}> stands within another; check what the file is"
                        raise InputError(path, reason)
                    count += is_record
                    yield element
                    element.clear()
                    while element.getprevious() is not None:
                        del element.getparent()[0]
            root = parser.close()
        except etree.XMLSyntaxError as error:
            message = syntax_message(error)
            reason = f"after record {count} the XML is broken ({message}); download or copy the file again"
            if count == 0:
                start = f"not {records.name} XML, or broken before its first record"
                reason = f"{start} ({message}); check what the file is"
            raise InputError(path, reason) from error
    if count == 0 and root.tag not in records.roots:
        raise InputError(path, f"XML, but not {records.name} XML: it is a <{root.tag}>, not a <{records.roots[0]}>")


def pull_parser(event: str, tags: tuple[str, ...] | None = None) -> etree.XMLPullParser:
    """A parser that fetches nothing from outside the file, no DTD and no entity, and keeps libxml2's limits."""
    return etree.XMLPullParser(
        events=(event,),
        tag=tags,
        resolve_entities="internal",
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def syntax_message(error: etree.XMLSyntaxError) -> str:
    """What is wrong, without advice that the user cannot follow."""
    return _LIBXML2_ADVICE.sub("", error.msg or "Document is empty")


def _chunks(file: BufferedIOBase, path: str, records: XmlRecords) -> Iterator[bytes]:
    """The bytes of the file, cut behind every record, so that an error found in a chunk belongs to one record."""
    longest_end = max(map(len, records.tags)) + len("</>")
    packed = path.lower().endswith(".gz")
    ahead, total, since_record, tags = b"", 0, 0, 0
    while data := file.read1(CHUNK_BYTES):  # read() would drop what came before the point where gzip data is cut off
        total += len(data)
        since_record += len(data)
        tags += data.count(b"<")
        ahead += data
        start = 0
        for match in records.end.finditer(ahead):
            yield ahead[start : match.end()]
            start = match.end()
            since_record, tags = len(ahead) - start, 0
        bomb = packed and total > MAX_UNPACKED_BYTES
        if bomb or since_record > MAX_RECORD_BYTES:
            what, most = ("file", MAX_UNPACKED_BYTES) if bomb else ("record", MAX_RECORD_BYTES)
            raise InputError(
                path, f"more than {most >> 20:,} MiB of XML in one {what}; check what the file is, or split it"
            )
        if tags > MAX_RECORD_TAGS:
            raise InputError(
                path, f"more than {MAX_RECORD_TAGS:,} tags in one record; check what the file is, or split it"
            )
        keep = max(start, len(ahead) - longest_end + 1)  # a record's end may be cut in two here
        yield ahead[start:keep]
        ahead = ahead[keep:]
    yield ahead


def _refuse_errors(parser: etree.XMLPullParser) -> None:
    """Raises for what libxml2 lets pass until the end of the file: it drops an undeclared entity from the text."""
    if errors := parser.feed_error_log.filter_from_errors():
        error = errors[0]
        raise etree.XMLSyntaxError(f"{error.message}, line {error.line}, column {error.column}", error.type, 0, 0)
