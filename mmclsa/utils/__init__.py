"""Small helpers that belong to no part of the model: files and command lines."""

from mmclsa.utils.cli import run_tool
from mmclsa.utils.io import atomic_write, check_writable, write_json

__all__ = ['atomic_write', 'check_writable', 'run_tool', 'write_json']
