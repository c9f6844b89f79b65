"""One way to make a page: a Jinja template with the style that all pages share."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

COLOURED = ("protein", "DNA", "RNA", "cell_line", "cell_type")
"""The entities that style.css has a colour for; `other` is that of all the rest."""

_FOLDER = Path(__file__).parent
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def source(name: str) -> str:
    """A style sheet or script of this folder."""
    return (_FOLDER / name).read_text(encoding="utf-8")


def render(template: str, *, scripts: tuple[str, ...] = (), connect: bool = False, **values: Any) -> str:
    """A page from a template of this folder.

    The template has `style`, `script` and `policy` for its head. The policy lets the browser run that script, and no
    other: text that got into the page as markup would stay dead. Nor can that script make markup of a text (Trusted
    Types).

    Args:
        template: Its file name.
        scripts: Files of this folder that make up the page's script, in their order.
        connect: Whether the script may ask the server that the page came from.
        values: What the template names; escaped.
    """
    script = "\n".join(source(name) for name in scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = "; ".join(
        [
            "default-src 'none'",
            "style-src 'unsafe-inline'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            *([f"script-src 'sha256-{digest}'"] if script else []),
            *(["connect-src 'self'"] if connect else []),
        ]
    )
    return _TEMPLATES.get_template(template).render(
        style=Markup(source("style.css")),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own files
        policy=policy,
        **values,
    )
