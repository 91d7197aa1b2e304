"""Sphinx: the pages of docs/, and the reference from the docstrings."""

from typing import Any

project = "Throughtime"
author = "the Throughtime authors"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
highlight_language = "text"
html_theme = "furo"
html_title = "Throughtime"
exclude_patterns = ["_build"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"


def keep_layout(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Formulas and drawings, which docstrings indent, keep their lines and spaces."""
    kept: list[str] = []
    before = 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent > before and not kept[-1].lstrip().startswith(("- ", ">>>", "...")):
            kept += ["", "::", ""]
        kept.append(line if indent else line.replace("|", r"\|"))  # sizes, not the names of substitutions
        if line.strip():
            if indent < before and kept[-2].strip():
                kept.insert(-1, "")
            before = indent
    lines[:] = kept


def setup(app: Any) -> None:
    """Asks Sphinx to hand us every docstring."""
    app.connect("autodoc-process-docstring", keep_layout)
