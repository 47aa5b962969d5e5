"""Sphinx's settings: the README, docs/ and the docstrings as one site. `make docs` builds it.

The source folder is the project's root, so links between README.md and docs/ work on the site as
they do in the repository. A new page docs/NAME.md is listed by itself; FIRST gives it a place.
"""

import ast
import shutil
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

import mnist_arch

DOCS = Path(__file__).parent
PACKAGE = Path(mnist_arch.__file__).parent
REFERENCE = DOCS / "reference"  # written by each build
ROOMS = ["models", "data", "training", "runs", "inference", "analysis"]  # that users import from

# Pages of docs/; the others follow.
FIRST = ["learn", "use", "architectures", "results", "claims", "reading", "sources", "speed"]

NAVIGATION = """
```{{toctree}}
:hidden:
:caption: Documentation
{pages}
```

```{{toctree}}
:hidden:
:caption: API
docs/reference/mnist_arch
```

```{{toctree}}
:hidden:
:caption: Project
CONTRIBUTING
CHANGELOG
```
"""

project = "mnist_arch"
author = "The mnist_arch authors"
version = release = mnist_arch.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "README"
include_patterns = ["*.md", "docs/**"]
myst_heading_anchors = 4  # links to headings as GitHub names them
myst_ref_domains = ["std"]  # a link to results/ means no Python object

highlight_language = "none"  # of blocks that name no language
default_role = "literal"  # `name` in a docstring
napoleon_use_ivar = True  # attributes are described where they are listed
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # those of torch and Lightning are theirs
autodoc_preserve_defaults = True
add_module_names = False
toc_object_entries_show_parents = "hide"
maximum_signature_line_length = 110

html_theme = "furo"
html_title = f"mnist_arch {release}"
html_static_path = ["site"]
html_css_files = ["site.css"]
html_copy_source = html_show_copyright = html_show_sphinx = False


def setup(app: Sphinx) -> None:
    app.connect("config-inited", import_types)
    app.connect("config-inited", write_reference)
    app.connect("source-read", add_navigation)
    app.connect("doctree-read", unlink_folders)
    app.connect("build-finished", add_index)


def import_types(*_: object) -> None:
    """Import what the facade imports for type checkers only, so that its signatures have links."""
    for statement in ast.parse(Path(mnist_arch.__file__).read_text()).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            block = ast.Module(statement.body, type_ignores=[])
            exec(compile(block, mnist_arch.__file__, "exec"), vars(mnist_arch))


def write_reference(*_: object) -> None:
    """Write one page for the facade, and one for each room with all its modules."""
    REFERENCE.mkdir(exist_ok=True)
    rooms = "".join(f"   {room} <mnist_arch.{room}>\n" for room in ROOMS)
    facade = module("mnist_arch", "=", members=True) + f".. toctree::\n\n{rooms}"
    (REFERENCE / "mnist_arch.rst").write_text(facade)
    for room in ROOMS:
        names = sorted(path.stem for path in (PACKAGE / room).glob("[a-z]*.py"))
        page = module(f"mnist_arch.{room}", "=", members=False)
        page += "".join(module(f"mnist_arch.{room}.{name}", "-", members=True) for name in names)
        (REFERENCE / f"mnist_arch.{room}.rst").write_text(page)


def module(name: str, underline: str, *, members: bool) -> str:
    options = "   :members:\n" if members else ""
    title = f"``{name}``"
    return f"{title}\n{underline * len(title)}\n\n.. automodule:: {name}\n{options}\n"


def add_navigation(app: Sphinx, page: str, source: list[str]) -> None:
    if page == app.config.root_doc:
        names = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
        ordered = [name for name in FIRST if name in names] + sorted(names - set(FIRST))
        source[0] += NAVIGATION.format(pages="\n".join(f"docs/{name}" for name in ordered))


def unlink_folders(app: Sphinx, page: nodes.document) -> None:
    """Keep only the text of a link to a folder: the site has pages and files."""
    here = app.srcdir / Path(app.env.docname).parent
    for link in list(page.findall(pending_xref)):
        if (here / link["reftarget"]).is_dir():
            link.replace_self(link[0])


def add_index(app: Sphinx, error: Exception | None) -> None:
    """The site opens with the README."""
    if error is None:
        shutil.copy(app.outdir / f"{app.config.root_doc}.html", app.outdir / "index.html")
