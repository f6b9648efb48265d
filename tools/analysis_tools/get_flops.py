"""Count the parameters and FLOPs of the model of a config: detector, re-ID branch, or both."""

from __future__ import annotations

import argparse

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.io import write_json


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--shape',
        type=int,
        nargs='+',
        metavar='PIXELS',
        help='height and width of the image that the network sees, or one side of a square '
        '(default: what the test pipeline resizes to)',
    )
    parser.add_argument(
        '--boxes', type=int, default=10, help='people that are described in the image (default: 10)'
    )
    parser.add_argument('--table', action='store_true', help='also print a table of the parts')
    parser.add_argument('--json', metavar='JSON', help='also save the numbers to this file')
    add_cfg_options(parser)
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine import load_config
from mmclsa.engine.complexity import configured_shape, measure_complexity

#: A network of several strides of 2 has nothing left of less.
LEAST = 32


def shape_of(sides: list[int]) -> tuple[int, int]:
    """Read ``--shape``."""
    if len(sides) > 2 or min(sides) < LEAST:
        raise ConfigError(f'--shape takes one or two numbers from {LEAST} up, not {sides}')
    return sides[0], sides[-1]


def main() -> None:
    """Count and print."""
    args = parse_args()
    if args.boxes < 0:
        raise ConfigError(f'--boxes must be at least 0, not {args.boxes}')
    given = shape_of(args.shape) if args.shape else None
    cfg = load_config(args.config, args.cfg_options)
    found = measure_complexity(cfg, given or configured_shape(cfg), args.boxes)
    line = '=' * 30
    if args.table:
        print(found['out_table'])
    print(
        f'{line}\nInput shape: {found["shape"]}\nPeople described: {found["people"]}\n'
        f'FLOPs: {found["flops_str"]}\nParams: {found["params_str"]}\n{line}\n'
        'A multiply-add is one FLOP, as in MMDetection. Compiled operations of MMCV (RoIAlign, '
        'NMS) and networks in ONNX files are not counted.'
    )
    if args.json:
        names = ('flops', 'params', 'activations', 'shape', 'people')
        write_json(args.json, {name: found[name] for name in names}, indent=2)


if __name__ == '__main__':
    run_tool(main)
