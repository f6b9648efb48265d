"""Print a config as it is used: with its bases, and with overrides of settings and variables."""

from __future__ import annotations

import argparse
from pathlib import Path

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import atomic_write

SUFFIXES = ('.py', '.json', '.yml', '.yaml')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--save-path', metavar='FILE', help=f'save the config, too ({", ".join(SUFFIXES)})'
    )
    add_cfg_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine import load_config


def main() -> None:
    """Print, and save."""
    args = parse_args()
    if args.save_path and Path(args.save_path).suffix not in SUFFIXES:
        raise ConfigError(f'--save-path must end in {", ".join(SUFFIXES)}, but is {args.save_path}')
    cfg = load_config(args.config, args.cfg_options)
    print(cfg.pretty_text)
    if args.save_path:
        with atomic_write(args.save_path) as temporary:
            cfg.dump(temporary)


if __name__ == '__main__':
    run_tool(main)
