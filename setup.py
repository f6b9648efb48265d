"""Put the tools and configs where ``mim`` looks for them; all else is in setup.cfg."""

import os
import shutil
import sys

from setuptools import setup

PARTS = ('tools', 'configs', 'model-index.yml')


def add_mim_extension() -> None:
    """Copy (for a distribution) or link (for an editable install) to ``mmclsa/.mim``."""
    root = os.path.dirname(os.path.abspath(__file__))
    folder = os.path.join(root, 'mmclsa', '.mim')
    distribution = 'sdist' in sys.argv or 'bdist_wheel' in sys.argv
    os.makedirs(folder, exist_ok=True)
    for part in PARTS:
        source, target = os.path.join(root, part), os.path.join(folder, part)
        if not os.path.exists(source):  # a wheel built from an sdist has them in .mim already
            continue
        if os.path.islink(target):
            os.remove(target)
        elif os.path.isdir(target):
            shutil.rmtree(target)
        if not distribution:
            os.symlink(os.path.relpath(source, folder), target)
        elif os.path.isdir(source):
            shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__', '*.pyc'))
        else:
            shutil.copy(source, target)


if __name__ == '__main__':
    add_mim_extension()
    setup()
