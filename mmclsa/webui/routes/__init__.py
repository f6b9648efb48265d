"""The addresses below ``/api``, a file for each subject."""

from mmclsa.webui.routes import export, index, people, pictures, rows, search, sightings

__all__ = ['ROUTERS']

_SUBJECTS = (index, pictures, search, sightings, rows, people, export)
ROUTERS = tuple(subject.router for subject in _SUBJECTS)
