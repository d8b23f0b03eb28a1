"""Sphinx's settings. Its source is the repository: texts and notebooks link to each other as they lie there."""

from importlib.util import find_spec

import mixedsparse

project = "mixedsparse"
author = "mixedsparse developers"
version = release = mixedsparse.__version__
html_title = "mixedsparse"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
    "sphinx_copybutton",
    "docs.mathml",
]
root_doc = "docs/index"
include_patterns = [
    "docs/**.md",
    "docs/**.rst",
    "notebooks/*.ipynb",
    "benchmarks/README.md",
    "benchmarks/results/coverage.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
]
# Folders that are not searched for the above.
exclude_patterns = [".*", "**/.venvs", "build", "dist", "docs/_build", "mixedsparse", "tests"]

nb_execution_mode = "off"  # notebooks are shown as they are stored
nb_mime_priority_overrides = [("html", "text/html", 0)]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3  # the ids that GitHub gives
html_math_renderer = "mathml"

# `name` in a docstring is code, and a link where it is the name of something.
default_role = "py:obj"
autosummary_generate = False
autodoc_member_order = "groupwise"
autodoc_mock_imports = [name for name in ("maketables", "marginaleffects", "polars", "sklearn") if not find_spec(name)]
autodoc_typehints = "none"  # the docstrings have types, shapes and units
add_module_names = False
numpydoc_show_class_members = False  # autodoc does
numpydoc_attributes_as_param_list = True

templates_path = ["templates"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {
    "header_links_before_dropdown": 8,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copyright = "mixedsparse developers, MIT licence"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_domain_indices = False
html_show_sourcelink = False
copybutton_prompt_text = ">>> "
