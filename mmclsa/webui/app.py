"""The page itself, in Gradio."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from mmclsa.errors import UserError
from mmclsa.utils.cli import user_message
from mmclsa.utils.optional import import_optional
from mmclsa.webui.page import MAX_HITS, Drop, GalleryPage, person_at

if TYPE_CHECKING:
    import gradio

__all__ = ['build_app', 'launch']

R = TypeVar('R')
# The page takes nothing from other hosts; Gradio's templates would.
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
)
# Saves in the browser, so that the server writes no file.
_SAVE = """(text) => {
  if (!text) { return; }
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
  link.download = 'results.json';
  link.click();
  URL.revokeObjectURL(link.href);
}"""


def build_app(page: GalleryPage) -> gradio.Blocks:
    """Make the page.

    Args:
        page: What it does.

    Returns:
        The app, not yet served.

    Raises:
        UserError: If Gradio is not installed.
    """
    gr = _import_gradio()
    handlers = _Handlers(page, gr)
    # Pictures that were shown are removed from the disk after an hour.
    with gr.Blocks(analytics_enabled=False, title='mmclsa', delete_cache=(600, 3600)) as app:
        drop, chosen = gr.State(time_to_live=3600), gr.State(time_to_live=3600)
        gr.Markdown(f'# Person search\n{page.summary}')
        with gr.Row():
            with gr.Column():
                file = gr.File(label='Drop a picture', file_types=['image'], elem_id='drop')
                picture = gr.Image(
                    label='Click on a person', interactive=False, buttons=[], elem_id='picture'
                )
                told = gr.Markdown(elem_id='told')
            with gr.Column():
                cameras = gr.CheckboxGroup(
                    [(name or 'no camera', name) for name in page.cameras],
                    label='Cameras (none for all)',
                    elem_id='cameras',
                )
                with gr.Row():
                    time_from = gr.Textbox(label='From', placeholder='0:00:10 or 2009-06-11T12:00')
                    time_to = gr.Textbox(label='To', placeholder='0:01:00 or 2009-06-11T13:00')
                topk = gr.Slider(1, MAX_HITS, 10, step=1, label='Scenes')
                group = gr.Checkbox(label='One scene a track')
                search = gr.Button('Search', variant='primary', elem_id='search')
        scenes = gr.Gallery(
            label='Ranked scenes',
            columns=4,
            height=420,
            object_fit='contain',  # a box at the edge must be seen
            buttons=[],
            interactive=False,
            elem_id='scenes',
        )
        timeline = gr.Image(label='Sightings', interactive=False, buttons=[], elem_id='timeline')
        report = gr.Code(label='JSON', language='json', interactive=False, elem_id='report')
        save = gr.Button('Save as JSON', elem_id='save')
        results = [scenes, timeline, report]
        shown = [drop, chosen, picture, told, *results]
        file.change(handlers.dropped, file, shown, api_name='drop')
        picture.select(handlers.clicked, drop, [chosen, picture, told], api_name='click')
        limits = [cameras, time_from, time_to, topk, group]
        search.click(handlers.searched, [drop, chosen, *limits], results, api_name='search')
        save.click(None, report, None, js=_SAVE)
    return app


class _Handlers:
    """The events of the page; only these are called from outside."""

    def __init__(self, page: GalleryPage, gr: Any) -> None:
        self.page = page
        self.told = _telling(gr)
        self.dropped = self.told(self._dropped)
        self.clicked = self.told(self._clicked)
        self.searched = self.told(self._searched)
        # Gradio looks for the type itself, which is not imported with this module.
        self.clicked.__annotations__ = {'event': gr.SelectData}

    def _dropped(self, path: str | None) -> tuple[Any, ...]:
        if path is None:
            return (None, None, None, '', None, None, None)
        drop = self.page.drop(path)
        count = len(drop.people.scores)
        chosen = 0 if count == 1 else None
        words = 'One person is found.' if count == 1 else f'{count} people are found: click on one.'
        return (drop, chosen, self.page.draw(drop, chosen), words, None, None, None)

    def _clicked(self, drop: Drop | None, event: gradio.SelectData) -> tuple[Any, ...]:
        if drop is None:
            raise UserError('drop a picture first')
        chosen = person_at(drop.people.boxes, *event.index)
        if chosen is None:
            raise UserError('nobody is there: click into a box')
        words = f'Person {chosen + 1} of {len(drop.people.scores)} is chosen.'
        return chosen, self.page.draw(drop, chosen), words

    def _searched(
        self,
        drop: Drop | None,
        chosen: int | None,
        cameras: Sequence[str],
        time_from: str,
        time_to: str,
        topk: int,
        group: bool,
    ) -> tuple[Any, ...]:
        limits = (cameras, time_from, time_to, int(topk), group)
        answer = self.page.search(drop, chosen, *limits)
        return list(answer.scenes), answer.timeline, answer.report


def launch(
    app: gradio.Blocks,
    host: str = '127.0.0.1',
    port: int | None = None,
    max_upload_mb: int = 20,
    block: bool = True,
) -> str:
    """Serve the page.

    Args:
        app: The page.
        host: Address to listen at; only this machine by default.
        port: None for a free one from 7860.
        max_upload_mb: Larger files are refused, in MB.
        block: Wait until the process is interrupted.

    Returns:
        Its address.

    Raises:
        UserError: If the port is taken.
    """
    gr = _import_gradio()
    try:
        _, address, _ = app.launch(
            server_name=host,
            server_port=port,
            max_file_size=f'{max_upload_mb}mb',
            share=False,
            ssr_mode=False,
            enable_monitoring=False,
            footer_links=[],
            theme=gr.themes.Base(font=['system-ui', 'sans-serif'], font_mono=['monospace']),
            state_session_capacity=100,
            app_kwargs={'middleware': [_middleware()]},
            prevent_thread_lock=not block,
        )
    except OSError as error:
        raise UserError(f'the page cannot be served at {host}, port {port}: {error}') from error
    return str(address)


def _telling(gr: Any) -> Callable[[Callable[..., R]], Any]:
    """Make a decorator that shows users' mistakes on the page."""

    def decorate(function: Callable[..., R]) -> Any:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> R:
            try:
                return function(*args, **kwargs)
            except UserError as error:
                raise gr.Error(user_message(error), print_exception=False) from error

        return call

    return decorate


def _import_gradio() -> Any:
    os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
    return import_optional('gradio', 'webui')


def _middleware() -> Any:
    from starlette.middleware import Middleware

    class SecurityHeaders:
        """Adds headers to every response."""

        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def send_more(message: Any) -> None:
                if message['type'] == 'http.response.start':
                    headers = [
                        (b'content-security-policy', _POLICY.encode()),
                        (b'x-content-type-options', b'nosniff'),
                        (b'referrer-policy', b'no-referrer'),
                    ]
                    message = {**message, 'headers': [*message['headers'], *headers]}
                await send(message)

            await self.app(scope, receive, send_more)

    return Middleware(SecurityHeaders)
