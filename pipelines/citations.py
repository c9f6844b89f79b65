"""The citations of a run: its PubMed files scanned once, and which of their records are the last word on a PMID."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from pipelines.corpora.input_files import InputError, InputFile, find_input_files
from pipelines.corpora.pubmed import PUBMED
from pipelines.corpora.pubmed_plan import CitationPlan, order_files, plan_citations
from pipelines.corpora.pubmed_scan import scan_citations
from pipelines.corpora.xml_root import root_tag
from pipelines.outputs.citation_cache import discard_unfinished, has_citations, read_citations, write_citations
from pipelines.outputs.coverage import Coverage
from pipelines.storage import Location


def tell_pubmed(files: Iterable[InputFile], recorded: Iterable[Mapping[str, Any]]) -> tuple[InputFile, ...]:
    """The same files; XML whose outermost element is PubMed's has the format `pubmed`, whatever the file's name.

    A file is not opened where an earlier run recorded the same version of it.

    Args:
        files: With their versions.
        recorded: Those of the earlier run, as its manifest has them.
    """
    formats = {(one["path"], one["version"]): one["format"] for one in recorded}
    return tuple(
        replace(file, format=formats.get((file.path, file.version)) or _kind_of_xml(file.path))
        if file.format == "xml"
        else file
        for file in files
    )


def _kind_of_xml(path: str) -> str:
    try:
        return "pubmed" if root_tag(path) in PUBMED.roots else "xml"
    except InputError:  # an error of that file, once it is read
        return "xml"


def pubmed_files(inputs: Iterable[Mapping[str, Any]]) -> list[InputFile]:
    """The PubMed files that were read or will be.

    Args:
        inputs: Rows of manifests, the later ones behind; of a file that an earlier run read, and which is now refused,
            the earlier one counts.
    """
    names = [field.name for field in fields(InputFile)]
    rows = {one["path"]: one for one in inputs if one["format"] == "pubmed" and one["version"]}
    return [InputFile(**{name: one[name] for name in names}) for one in rows.values()]


def refuse_two_baselines(files: Iterable[InputFile]) -> None:
    """Stops before any work where the plan would be refused.

    Raises:
        InputError: The PubMed files are of two baselines.
    """
    order_files([file.path for file in files if file.format == "pubmed"])


def refuse_left_out(
    inputs: Iterable[Mapping[str, Any]], named: Iterable[InputFile], covered: Mapping[str, Coverage]
) -> None:
    """Stops a run without files that have the last word on a citation and were not read to their end before.

    Raises:
        InputError: Such a file is among the inputs of the manifest, and was not named.
    """
    paths = {file.path for file in named}
    for file in inputs:
        path, known = file["path"], file.get("complete") or file.get("error")
        if file["format"] == "pubmed" and not (path in paths or known or (path in covered and covered[path].complete)):
            raise InputError(path, "is part of this run and was not tagged to its end; name it again")


def files_to_scan(files: Sequence[InputFile], folder: Location) -> list[InputFile]:
    """The PubMed files whose citations are not kept in the folder.

    Raises:
        InputError: One of them is gone, or is not what an earlier run read.
    """
    missing = [file for file in files if not has_citations(folder, file.path, file.version)]
    for file in missing:
        [found] = find_input_files([file.path], "pubmed")
        if found.size != file.size:
            raise InputError(file.path, "changed since it was tagged; replace the run with --overwrite")
    return missing


ForEach = Callable[[Callable[[InputFile], None], Sequence[InputFile]], object]
"""Calls a function with each of the files, in several processes."""


def plan_files(files: Sequence[InputFile], folder: Location, for_each: ForEach) -> CitationPlan:
    """The plan for PubMed files; those whose citations the folder does not hold yet are scanned first.

    Raises:
        InputError: A file is gone, or the files are of two baselines.
        OutputError: The folder cannot be written, or what it keeps is damaged.
    """
    discard_unfinished(folder)
    if missing := files_to_scan(files, folder):
        for_each(functools.partial(_scan_file, folder), missing)
    return plan_citations([file.path for file in files], lambda path: read_citations(folder, path))


def _scan_file(folder: Location, file: InputFile) -> None:
    write_citations(folder, file.path, file.version, scan_citations(file.path))
