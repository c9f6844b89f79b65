"""The `.md5` files that NLM puts beside its own."""

import hashlib
import re
from pathlib import Path
from typing import Literal

_DIGEST = re.compile(r"\b[0-9a-fA-F]{32}\b")


def check_md5(path: str) -> Literal["ok", "bad", "absent"]:
    """Whether a file has the MD5 that the file beside it says: `MD5(name)= digest`, or `digest  name`."""
    try:
        said = Path(f"{path}.md5").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "absent"
    digest = _DIGEST.search(said)
    with Path(path).open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    return "ok" if digest and digest[0].lower() == found else "bad"
