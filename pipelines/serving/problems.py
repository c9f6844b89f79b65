"""What is wrong with a request, in words that say what to do."""

from collections.abc import Iterable, Mapping
from typing import Any

MOST = 20
"""Problems named; a megabyte of JSON can have a hundred thousand."""

NAME_CHARACTERS = 100
"""Of a field's name in a problem: names come from the request too."""

MESSAGES = {
    "missing": "missing; it must be there",
    "extra_forbidden": "no such field; leave it out",
    "string_type": "give a string",
    "string_unicode": "half of a surrogate pair is no character; correct it",
    "string_too_long": "longer than {max_length:,} characters; shorten or split it",
    "float_type": "give a number",
    "float_parsing": "give a number",
    "finite_number": "give a finite number",
    "list_type": "give a list",
    "too_long": "more than {max_length:,} in the list; send fewer at once",
    "too_short": "an empty list; give at least one, or leave it out",
    "literal_error": "give {expected}",
    "dict_type": "give a JSON object",
    "model_type": "give a JSON object",
    "model_attributes_type": "give a JSON object",
    "json_invalid": "not JSON: {error}",
    "value_error": "{error}",
}
"""For the types of pydantic's errors; another keeps pydantic's own."""

Problem = dict[str, Any]
"""`loc`, the names and indexes (from 0) that lead to the field; `msg`, one line; `type`."""


def problems(errors: Iterable[Mapping[str, Any]]) -> list[Problem]:
    """Pydantic's errors without the input: that may be huge, or hold what no answer can, such as half a character."""
    errors = list(errors)
    found = [
        {"loc": [_name(part) for part in error["loc"]], "msg": _message(error), "type": error["type"]}
        for error in errors[:MOST]
    ]
    if len(errors) > MOST:
        found.append({"loc": found[0]["loc"][:1], "msg": f"and {len(errors) - MOST:,} more problems", "type": "more"})
    return found


def one_line(problem: Problem) -> str:
    """A problem where there is no place for more, such as `documents.2.text: give a string`."""
    return ": ".join(part for part in (".".join(map(str, problem["loc"])), problem["msg"]) if part)


def _name(part: str | int) -> str | int:
    if isinstance(part, int) or len(part) <= NAME_CHARACTERS:
        return part
    return f"{part[:NAME_CHARACTERS]}..."


def _message(error: Mapping[str, Any]) -> str:
    message = MESSAGES.get(error["type"])
    return error["msg"] if message is None else message.format_map(error.get("ctx", {}))
