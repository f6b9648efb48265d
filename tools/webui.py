"""Search a gallery from a web page, and by programs over its REST interface."""

from __future__ import annotations

import argparse
import signal

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import add_cfg_options, run_tool
from mmclsa.utils.gallery_options import add_shared_options, model_options
from mmclsa.utils.trust import add_trust_option


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_shared_options(parser, 'index')
    add_shared_options(parser, '--config', '--checkpoint', '--onnx', '--device')
    add_cfg_options(parser, '--config')
    add_trust_option(parser)
    parser.add_argument(
        '--host', default='127.0.0.1', help='address to listen on (default: this machine only)'
    )
    parser.add_argument('--port', type=int, help='default: the first free port from 7860 on')
    _add_access_options(parser)
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
    add_shared_options(parser, '--keep-days')
    args = parser.parse_args()
    args.auth_file = None
    if args.auth is not None:
        args.auth, _, args.auth_file = args.auth.partition(':')
        if not args.auth or not args.auth_file:
            parser.error('--auth must be USER:PASSWORD-FILE')
    return args


def _add_access_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--auth',
        metavar='USER:PASSWORD-FILE',
        help='ask for this name and the password in the first line of the file',
    )
    parser.add_argument(
        '--token-file', metavar='FILE', help='let programs in that send the token in this file'
    )
    parser.add_argument(
        '--no-auth',
        action='store_true',
        help='serve everybody who can reach --host, without a password',
    )
    parser.add_argument(
        '--allow-host',
        nargs='+',
        default=[],
        metavar='NAME',
        help='further names of this server, such as that of a reverse proxy',
    )


if __name__ == '__main__':
    parse_args()  # before the slow imports: see mmclsa.utils.cli

from mmclsa.gallery.retention import check_days
from mmclsa.utils.optional import import_optional
from mmclsa.webui.access import Access, read_secret, require_access
from mmclsa.webui.addresses import check_name, check_port, listen


def check(args: argparse.Namespace) -> Access:
    """Refuse what cannot be served, and say who may enter."""
    if args.onnx and (args.config or args.checkpoint or args.device):
        raise ConfigError('--onnx takes the place of --config, --checkpoint and --device')
    for name in ('max_upload', 'max_pixels'):
        if getattr(args, name) < 1:
            raise ConfigError(f'--{name.replace("_", "-")} must be positive')
    if args.keep_days is not None:
        check_days(args.keep_days)
    check_port(args.port)
    for name in args.allow_host:
        check_name(name)
    access = Access(
        args.auth,
        read_secret(args.auth_file, 'password') if args.auth_file else None,
        read_secret(args.token_file, 'token') if args.token_file else None,
    )
    require_access(args.host, access, args.no_auth)
    return access


def main() -> None:
    """Serve the page."""
    args = parse_args()
    access = check(args)
    # Ending the tool politely is as good as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for package in ('fastapi', 'uvicorn', 'python_multipart'):
        import_optional(package, 'webui')
    from mmclsa.gallery import GalleryIndex, forget_older_than
    from mmclsa.inference.from_index import embedder_of_index
    from mmclsa.webui.app import build_app
    from mmclsa.webui.server import launch
    from mmclsa.webui.service import GalleryService
    from mmclsa.webui.settings import Limits

    # Opened before a model is loaded, so that what is wrong with it is said at once.
    with GalleryIndex.open(args.index) as index:
        model = embedder_of_index(args.index, **model_options(args))
        index.check_model(model.fingerprint)
        if args.keep_days is not None:  # for good: only where all else is right
            listen(args.host, args.port).close()
            with GalleryIndex.open(args.index, writable=True) as writer:
                print(f'{args.index}: {forget_older_than(writer, args.keep_days)}')
        service = GalleryService(index, model, Limits(args.max_upload, args.max_pixels))
        launch(build_app(service, access, args.allow_host), args.host, args.port)


if __name__ == '__main__':
    run_tool(main)
