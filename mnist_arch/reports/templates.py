"""The prose of reports, in ``templates/*.j2``: each page's sentences stand there once.

A template calls a `Table`'s methods itself (``{{ networks.markdown() }}``), and writes numbers as
Python does (``{{ images | number(",") }}``); in Markdown, what a file or a user has written goes
through ``escaped``. What it names and does not get is an error.
"""

from functools import partial
from html import escape

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

ENVIRONMENT = Environment(
    loader=PackageLoader("mnist_arch.reports"),
    undefined=StrictUndefined,
    autoescape=select_autoescape(["html.j2"], default=False),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
ENVIRONMENT.filters |= {"number": format, "escaped": partial(escape, quote=False)}


def render(template: str, **values: object) -> str:
    """Fill in a template, named by its file; in those ending in .html.j2 values are escaped."""
    return ENVIRONMENT.get_template(template).render(values)


def paragraphs(template: str, macro: str, *values: object) -> list[str]:
    """Call a macro of a template; what stands between blank lines is a paragraph, of one line."""
    text = getattr(ENVIRONMENT.get_template(template).module, macro)(*values)
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]
