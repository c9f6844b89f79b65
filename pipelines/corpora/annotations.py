"""What a file says about its text, in metadata: the label of each line, and the entities that somebody has marked."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from pipelines.corpora.records import MAX_CHARACTERS


class Annotation(NamedTuple):
    """An entity as a file gives it.

    Attributes:
        fragments: half-open spans in code points into the document's text; more than one if it is discontinuous.
        entity: its name, "" where the file has none.
        text: what should stand there; None if the file does not say.
    """

    fragments: Sequence[tuple[int, int]]
    entity: str
    text: str | None


def entity_metadata(text: str, annotations: Iterable[Annotation]) -> dict[str, str]:
    """The metadata `entities` and `unplaced_entities`, each a JSON list, and each only where there are any.

    An entity is {"start", "end", "entity"}. One in several fragments has the span from the first to the last of them,
    and "fragments" besides. Where another text stands at its offsets than the file says, or none at all, an entity is
    not placed: it has the offsets of the file and, as "text", what the file says.
    """
    placed: list[dict[str, Any]] = []
    unplaced: list[dict[str, Any]] = []
    for annotation in annotations:
        fragments = sorted(annotation.fragments)
        entity: dict[str, Any] = {"start": None, "end": None, "entity": annotation.entity}
        if fragments:
            entity |= {"start": fragments[0][0], "end": max(end for _, end in fragments)}
        if len(fragments) > 1:
            entity["fragments"] = [list(fragment) for fragment in fragments]
        if _stands_in(text, fragments, annotation.text):
            placed.append(entity)
        else:
            unplaced.append({**entity, "text": annotation.text})
    found = {"entities": placed, "unplaced_entities": unplaced}
    return {key: json.dumps(entities, ensure_ascii=False) for key, entities in found.items() if entities}


def _stands_in(text: str, fragments: Sequence[tuple[int, int]], given: str | None) -> bool:
    """Whether `text` has what is given at these places; white space of any kind is the same, as in line formats."""
    if not fragments or not all(0 <= start < end <= len(text) for start, end in fragments):
        return False
    if given is None:
        return True
    if len(fragments) == 1:
        [(start, end)] = fragments
        return len(given) == end - start and given.split() == text[start:end].split()
    wanted = "".join(given.split())  # between the fragments stands a space, or the text that is there
    outer = text[fragments[0][0] : fragments[-1][1]]
    return wanted in ("".join(outer.split()), "".join("".join(text[s:e] for s, e in fragments).split()))


def label_metadata(labels: Sequence[str]) -> dict[str, str]:
    """The metadata `section_labels`, where there are any: a JSON list with one string for each line of the text.

    Raises:
        ValueError: they are longer than a document may be.
    """
    if not any(labels):
        return {}
    if (length := sum(map(len, labels))) > MAX_CHARACTERS:
        raise ValueError(f"its section labels have {length:,} characters, {MAX_CHARACTERS:,} are allowed; shorten them")
    return {"section_labels": json.dumps(labels, ensure_ascii=False)}
