"""The documentation site: Sphinx reads this. `make docs` builds it, with warnings as errors and without network."""

from __future__ import annotations

import os
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_extensions"))
# Examples run like the tests: one thread per process, so that sums come out alike on every machine.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import voxplain  # noqa: E402  (after the threads are set)

project = "voxplain"
author = "The voxplain developers"
copyright = "the voxplain developers, Apache-2.0"
release = version = voxplain.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
    "sphinx_copybutton",
    # ours, in docs/_extensions
    "repository_files",
    "page_groups",
    "api_rooms",
    "plain_docstrings",
    "gallery_pages",
]
root_doc = "index"
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = [
    "_build",
    "_made",
    "_files",
    "gallery",
    "tutorials/*.rst",
    "**/*.py.md5",
    "**/*.codeobj.json",
]
suppress_warnings = [
    "config.cache",  # sphinx-gallery's settings hold functions, which Sphinx cannot keep between builds
]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3  # links to headings, as code hosts make them

# --- API reference
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autosummary_generate = False  # a page per room, which api_rooms writes
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False

# --- References that may stay open. Inventories of other projects would have to be downloaded, so that their types have
# no link; and modules below a room are not public: what they define is named in signatures, and told in the source.
nitpicky = True
nitpick_ignore_regex = [
    (r"py:.*", r"(?!voxplain\.).+"),
    (r"py:.*", r"voxplain\.\w+\.[a-z_]\w*\..+"),
]

# --- Examples: executed while the site is built
sphinx_gallery_conf = {
    "examples_dirs": ["gallery", "tutorials"],
    "gallery_dirs": ["auto_gallery", "auto_tutorials"],
    "filename_pattern": r"plot_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": False,  # with -W a failed example still fails the build, after telling of all
    "only_warn_on_example_error": False,
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,  # its tables load scripts from elsewhere
    "min_reported_time": 1,
    "remove_config_comments": True,
    "plot_gallery": True,
    "matplotlib_animations": False,
    "reset_modules": ("matplotlib",),
    "capture_repr": (),
    "doc_module": (),
    "backreferences_dir": None,
    "image_scrapers": ("matplotlib",),
    "nested_sections": False,
}

# --- HTML: nothing is loaded from elsewhere
html_theme = "pydata_sphinx_theme"
html_title = "voxplain"
html_static_path = ["_static"]
html_extra_path = ["_made"]  # files of the repository, and pages that examples make
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "logo": {"text": "voxplain"},
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
