"""The addresses below ``/api``, a file for each subject."""

from mmclsa.webui.routes import export, index, people, pictures, rows, search

__all__ = ['ROUTERS']

ROUTERS = (index.router, pictures.router, search.router, rows.router, people.router, export.router)
