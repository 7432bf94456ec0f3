"""Makes the pages of the site: those of docs/, those of the root, the gallery and the reference.

`assemble` puts them into one folder that Sphinx reads; nothing here needs Sphinx.
"""
