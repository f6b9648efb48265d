"""Settings of Sphinx."""

from mmclsa.version import __version__

project = 'mmclsa'
author = 'The mmclsa authors'
copyright = '2026, The mmclsa authors'
version = release = __version__

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx.ext.mathjax',
    'sphinx.ext.viewcode',
    'sphinx_copybutton',
]
exclude_patterns = ['_build']
myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']
myst_heading_anchors = 3

autodoc_typehints = 'signature'
autodoc_member_order = 'bysource'
# Two classes with the same short name, one of them MMDetection's, are no fault.
suppress_warnings = ['ref.python']

html_theme = 'furo'
html_title = f'mmclsa {release}'
copybutton_exclude = '.linenos, .gp, .go'
