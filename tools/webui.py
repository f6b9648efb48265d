"""Search a gallery from a web page."""

from __future__ import annotations

import argparse
import os
import signal
import tempfile

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.trust import add_trust_option


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('index', metavar='INDEX_DIR', help='folder of the index')
    parser.add_argument('--config', help='override the config stored in the index')
    parser.add_argument('--checkpoint', help='override the checkpoint named in the index')
    parser.add_argument(
        '--onnx',
        metavar='DIR',
        help='use a model exported by tools/deployment/export_onnx.py instead',
    )
    add_trust_option(parser)
    parser.add_argument('--device', help='such as cpu or cuda:0 (default: a GPU if there is one)')
    parser.add_argument(
        '--host', default='127.0.0.1', help='address to listen on (default: this machine only)'
    )
    parser.add_argument('--port', type=int, help='default: the first free port from 7860 on')
    parser.add_argument(
        '--max-upload', type=int, default=20, metavar='MB', help='largest upload (default: 20)'
    )
    parser.add_argument(
        '--max-pixels',
        type=int,
        default=40_000_000,
        metavar='N',
        help='largest image, width times height (default: 40000000)',
    )
    return parser.parse_args()


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.gallery import GalleryIndex
from mmclsa.inference import embedder_of_index
from mmclsa.inference.onnx import OnnxSearcher


def main() -> None:
    """Serve the page."""
    args = parse_args()
    if args.onnx and (args.config or args.checkpoint or args.device):
        raise ConfigError('--onnx takes the place of --config, --checkpoint and --device')
    for name in ('max_upload', 'max_pixels'):
        if getattr(args, name) < 1:
            raise ConfigError(f'--{name.replace("_", "-")} must be positive')
    GalleryIndex.open(args.index).close()  # says what is wrong before a model is loaded
    # Ending the tool politely is as good as Ctrl-C: what was uploaded must go.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix='mmclsa-webui-') as shown:
        # Before Gradio is imported: what was uploaded and shown goes when the tool ends.
        os.environ['GRADIO_TEMP_DIR'] = shown
        from mmclsa.webui import GalleryPage
        from mmclsa.webui.app import build_app, launch

        if args.onnx:
            model = OnnxSearcher(args.onnx)
        else:
            model = embedder_of_index(
                args.index,
                args.config,
                args.checkpoint,
                args.device,
                trust_checkpoint=args.trust_checkpoint,
            )
        with GalleryIndex.open(args.index, model.fingerprint) as index:
            page = GalleryPage(index, model, args.max_pixels)
            launch(build_app(page), args.host, args.port, args.max_upload)


if __name__ == '__main__':
    run_tool(main)
