"""Person search with Cross-Level Semantic Alignment, as a plug-in of MMDetection."""

from mmclsa.compat import check_versions, silence_onedl
from mmclsa.version import __version__

__all__ = ['__version__']

check_versions()
silence_onedl()
