"""How Sphinx makes the site of what `docs/site` has put together; see .ci/pages.py."""

from nbchat.version import __version__

project = "nbchat"
author = "the authors of nbchat"
project_copyright = "the authors of nbchat, MIT licence"
release = version = __version__

extensions = ["myst_nb", "sphinx_copybutton"]
myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # notebooks are committed with their outputs
nb_merge_streams = True
suppress_warnings = ["mystnb.unknown_mime_type"]

templates_path = []
exclude_patterns = []
highlight_language = "text"
python_maximum_signature_line_length = 80
add_module_names = True
toc_object_entries_show_parents = "hide"
show_warning_types = True
# each name that is made a link leads somewhere; those of annotations are links where they can be
nitpicky = True
nitpick_ignore_regex = [("py:class", ".*"), ("py:obj", r"None|\w+|typing\..*")]

html_theme = "pydata_sphinx_theme"
html_title = "nbchat"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "nbchat"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# pages that stand alone have nothing to list at their left
html_sidebars = {
    name: []
    for name in (
        "index", "start", "numbers", "reliability", "security", "built", "contributing",
        "changelog",
    )
}  # fmt: skip
copybutton_exclude = ".linenos, .gp, .go"
