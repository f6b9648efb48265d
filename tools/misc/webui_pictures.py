"""Take the pictures of the web page that the docs show.

An index is served to this machine alone, and a Chromium goes through the page as a visitor does.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from mmclsa.errors import ConfigError
from mmclsa.utils.cli import run_tool
from mmclsa.utils.trust import add_trust_option

DESKTOP, PHONE = (1280, 800), (360, 740)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('index', type=Path, help='folder of the index')
    parser.add_argument('query', type=Path, help='query image')
    parser.add_argument('--person', type=int, default=1, help='number of the person in it, from 1')
    parser.add_argument('--out', type=Path, default=Path('docs/images'), help='output folder')
    add_trust_option(parser)
    return parser.parse_args()


def main() -> None:
    """Serve the index and take the pictures."""
    args = parse_args()
    from mmclsa.gallery import GalleryIndex
    from mmclsa.inference.from_index import embedder_of_index
    from mmclsa.webui import GalleryService
    from mmclsa.webui.app import build_app
    from mmclsa.webui.server import serving

    embedder = embedder_of_index(args.index, trust_checkpoint=args.trust_checkpoint)
    chromium = shutil.which('chromium') or shutil.which('chromium-browser')
    if chromium is None:
        raise ConfigError('a chromium must be installed, but there is none')
    from playwright.sync_api import sync_playwright

    with (
        GalleryIndex.open(args.index) as index,
        serving(build_app(GalleryService(index, embedder))) as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=['--no-sandbox'])
        for path in take_pictures(browser, address, args.query, args.person, args.out):
            print(f'{path}: {path.stat().st_size / 1000:.0f} kB')


def take_pictures(browser: Any, address: str, query: Path, person: int, out: Path) -> list[Path]:
    """Go through the page at both sizes, and in dark mode to an opened hit."""
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, size, scheme in (
        ('desktop', DESKTOP, 'light'),
        ('phone', PHONE, 'light'),
        ('dark', DESKTOP, 'dark'),
    ):
        page = browser.new_page(
            viewport={'width': size[0], 'height': size[1]},
            color_scheme=scheme,
            reduced_motion='reduce',
            device_scale_factor=2 if size == PHONE else 1,
        )
        page.goto(address)
        search(page, query, person)
        if scheme == 'dark':
            open_hit(page)
        paths.append(out / f'webui_{name}.jpg')
        page.screenshot(path=paths[-1], type='jpeg', quality=75)
        page.close()
    return paths


def search(page: Any, query: Path, person: int) -> None:
    """Give the picture, choose the person, and wait for all crops."""
    page.locator('#file').set_input_files(str(query))
    page.locator('.person').first.wait_for()
    page.locator(f'.person[data-number="{person}"]').click()
    page.locator('#search').click()
    page.locator('.hit').first.wait_for()
    page.locator('.hit .confirm').first.click()
    page.mouse.move(0, 0)
    page.wait_for_load_state('networkidle')


def open_hit(page: Any) -> None:
    """Open the second hit, and wait for its scene and the clip."""
    with page.expect_response('**/clip'):
        page.locator('.hit .open').nth(1).click()
    page.locator('#scene-box').wait_for()
    page.wait_for_load_state('networkidle')
    page.locator('#clip-status:empty').wait_for(state='attached')


if __name__ == '__main__':
    run_tool(main)
