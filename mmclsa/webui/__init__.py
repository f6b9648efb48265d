"""A web page that searches a gallery.

:mod:`mmclsa.webui.app` is the page, in Gradio; what it does is here.
"""

from mmclsa.webui.page import Answer, Drop, GalleryPage, person_at

__all__ = ['Answer', 'Drop', 'GalleryPage', 'person_at']
