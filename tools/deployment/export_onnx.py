"""Export a trained searcher as ONNX graphs, and check them in ONNX Runtime."""

from __future__ import annotations

import argparse

from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.trust import add_trust_option


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    add_cfg_options(parser)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='trained weights (default, or "none": as the config initialises them)',
    )
    add_trust_option(parser)
    parser.add_argument('--out', required=True, metavar='DIR', help='folder for the graphs')
    parser.add_argument(
        '--det-thresh',
        type=float,
        help='detection threshold of the exported model (default: that of the config)',
    )
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.engine import load_config
from mmclsa.inference import PersonSearchInferencer
from mmclsa.inference.model_names import find_config


def main() -> None:
    """Export."""
    args = parse_args()
    inferencer = PersonSearchInferencer(
        load_config(find_config(args.config), args.cfg_options),
        args.checkpoint,
        'cpu',
        args.det_thresh,
        trust_checkpoint=args.trust_checkpoint,
    )
    # Here, because a wrong argument shall be told before onnx is missed.
    from mmclsa.inference.export import export_searcher

    sidecar = export_searcher(inferencer, args.out)
    print(f'{args.out}: {", ".join(graph.file for graph in sidecar.graphs.values())}')
    print(
        f'Largest difference of an embedding from PyTorch: {sidecar.about["embedding_error"]:.2g}'
    )
    if sidecar.detection is None:
        detector = inferencer.model.detector
        what = (
            'The model has no detector'
            if detector is None
            else f'The detector {type(detector).__name__} was not exported'
        )
        print(f'{what}: boxes must come from elsewhere.')


if __name__ == '__main__':
    run_tool(main)
