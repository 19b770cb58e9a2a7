"""How Sphinx builds the documentation: sphinx-build -W docs build/docs."""

import base64
import inspect
import json
import re
import shutil
from pathlib import Path

import latex2mathml.converter
from docutils import nodes

import snnc

HERE = Path(__file__).parent

project = "snnc"
author = "The snnc developers"
copyright = f"2026, {author}"
release = version = snnc.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["course/README.md"]
default_role = "py:obj"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the notebooks keep their outputs, and the tests execute them
suppress_warnings = ["mystnb.unknown_mime_type"]  # of sliders, which need a running kernel

autodoc_member_order = "groupwise"
autodoc_typehints = "none"  # the docstrings say it
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Calls"]  # of neurons

html_math_renderer = "mathml"  # which browsers draw, without scripts from elsewhere
html_theme = "furo"
html_title = f"snnc {release}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def copy_course(notebooks: Path, course: Path) -> None:
    """Copy the notebooks, and the first figure of each as its picture in the gallery."""
    shutil.rmtree(course, ignore_errors=True)
    course.mkdir()
    for notebook in sorted(notebooks.glob("*.ipynb")):
        text = notebook.read_text().replace("](README.md)", "](../course.md)")
        (course / notebook.name).write_text(text)
        cells = json.loads(text)["cells"]
        outputs = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
        figure = next(data["image/png"] for data in outputs if "image/png" in data)
        (course / f"{notebook.stem}.png").write_bytes(base64.b64decode(figure))


def escape(app, what, name, obj, options, lines: list[str]) -> None:
    """Escape what reads well in Python and means something else in reST."""
    for k, line in enumerate(lines):
        line = re.sub(r"(?<![*\w`])\*(?=[A-Za-z])", r"\\*", line)  # (T, *shape): emphasis
        if "``" not in line:
            line = re.sub(r"(?<![`\w])input_(?=[\s,.)])", r"input\\_", line)  # a link
        # Numbers of references, which are a docstring's own.
        lines[k] = re.sub(r"^\.\. (?=\[\d+\])|(?<=\[\d\])_", "", line)


def signature(app, what, name, obj, options, arguments, annotation) -> tuple[str, str] | None:
    """Return the signature that classes say, not that of the C type below them."""
    if what != "class":
        return None
    given = inspect.signature(obj)
    bare = [p.replace(annotation=p.empty) for p in given.parameters.values()]
    return str(given.replace(parameters=bare, return_annotation=given.empty)), ""


def inline_formula(self, node) -> None:
    """Write a formula of a line."""
    self.body.append(latex2mathml.converter.convert(node.astext()))
    raise nodes.SkipNode


def formula(self, node) -> None:
    """Write a formula of its own."""
    mathml = latex2mathml.converter.convert(node.astext(), display="block")
    self.body.append(f'<div class="formula">{mathml}</div>')
    raise nodes.SkipNode


def link_course(app, page: str, source: list[str]) -> None:
    """Link the copies of the notebooks; in the files the links are those of a checkout."""
    source[0] = re.sub(r"\]\(\.\./notebooks/(\w+\.ipynb)\)", r"](course/\1)", source[0])


def setup(app) -> None:
    """Come before napoleon; link notebooks; draw formulas."""
    app.connect("source-read", link_course)
    app.connect("autodoc-process-docstring", escape, priority=400)
    app.connect("autodoc-process-signature", signature)
    app.add_html_math_renderer("mathml", (inline_formula, None), (formula, None))


copy_course(HERE.parent / "notebooks", HERE / "course")
