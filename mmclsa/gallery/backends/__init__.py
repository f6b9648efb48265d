"""Where the vectors of an index are kept: files of FAISS, or Milvus."""

from mmclsa.gallery.backends.base import VectorBackend
from mmclsa.gallery.backends.faiss_backend import FaissBackend
from mmclsa.gallery.backends.milvus_backend import MilvusBackend

__all__ = ['FaissBackend', 'MilvusBackend', 'VectorBackend']
