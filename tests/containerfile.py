"""Reads the Containerfile, and makes a script of what it does in a folder instead of an image."""

from __future__ import annotations

import re
import shlex
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from tests.helpers import REPO

__all__ = ['Instruction', 'as_script', 'ignored', 'read_containerfile', 'stages']

_ROOTS = re.compile(r'(?<![\w/])/opt\b')


class Instruction(NamedTuple):
    """A line of a Containerfile, with those that go on from it."""

    name: str
    text: str


def read_containerfile(path: Path = REPO / 'Containerfile') -> list[Instruction]:
    """Read a Containerfile without what mmclsa's does not use: heredocs, other escapes."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith('#')]
    joined = re.sub(r'\\\n\s*', '', '\n'.join(lines))
    parts = (line.split(None, 1) for line in joined.splitlines() if line.strip())
    return [Instruction(name.upper(), text.strip()) for name, text in parts]


def stages(instructions: list[Instruction]) -> list[list[Instruction]]:
    """Split at FROM; what stands before the first goes with it."""
    starts = [n for n, one in enumerate(instructions) if one.name == 'FROM']
    bounds = [0, *starts[1:], len(instructions)]
    return [instructions[start:stop] for start, stop in zip(bounds, bounds[1:])]


def ignored(path: str, patterns: Path = REPO / '.containerignore') -> bool:
    """Tell whether a path of the checkout, or a folder that it is in, is left out of a build."""
    parts = PurePosixPath(path).parts
    for pattern in patterns.read_text().splitlines():
        if not pattern or pattern.startswith('#'):
            continue
        if pattern.startswith('**/'):
            if any(fnmatch(part, pattern[3:]) for part in parts):
                return True
        elif any(fnmatch('/'.join(parts[:n]), pattern) for n in range(1, len(parts) + 1)):
            return True
    return False


def as_script(stage: list[Instruction], root: Path, context: Path = REPO) -> str:
    """Make a script for bash of a stage's ARG, ENV, WORKDIR, COPY and RUN.

    What lies below /opt in the image is below ``root``. Packages of the system are not
    installed: such a RUN is left out.
    """
    lines = ['set -euo pipefail']
    for name, text in stage:
        here = _ROOTS.sub(str(root / 'opt'), text)
        if name == 'ARG':
            variable, _, value = here.partition('=')
            lines.append(f': "${{{variable}={value}}}"')
        elif name == 'ENV':
            lines.append(f'export {here}')
        elif name == 'WORKDIR':
            lines.append(f'mkdir -p {here} && cd {here}')
        elif name == 'COPY':
            *sources, target = shlex.split(here)
            for source in sources:
                copied = Path(target) if target.endswith('/') else Path(target).parent
                place = shlex.quote(str(context / source))
                lines.append(f'mkdir -p {copied} && cp -RL {place} {copied}/')
        elif name == 'RUN' and 'apt-get' not in here:
            lines.append(here)
    return '\n'.join(lines) + '\n'
