"""Who is let in, from where, and with how much."""

from __future__ import annotations

import base64
import os
import socket
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient

from mmclsa.errors import ConfigError
from mmclsa.webui.access import Access, read_secret, require_access
from mmclsa.webui.app import build_app
from mmclsa.webui.guesses import Guesses
from mmclsa.webui.server import serving

PASSWORD, TOKEN = 'Pferd: Batterie, Heftklammer ü', 'a-token-of-programs'
BOTH = Access('ann', PASSWORD, TOKEN)


def basic(user: str, password: str) -> str:
    return 'Basic ' + base64.b64encode(f'{user}:{password}'.encode()).decode()


@pytest.fixture
def answer(service):
    """The status of a request to an application of some access."""

    def status(access, path='/api/index', host='localhost', method='GET', hosts=(), **headers):
        client = TestClient(build_app(service, access, hosts), base_url=f'http://{host}')
        with client:
            return client.request(method, path, headers=headers)

    return status


def test_token_of_other_letters(answer):
    """A program sends it as UTF-8, servers read headers as Latin-1: nobody was let in."""
    access = Access(token='ein-wört-門')
    for token, status in (('ein-wört-門', 200), ('ein-wort-門', 401), ('\xff-wört-門', 401)):
        header = f'Bearer {token}'.encode()
        assert answer(access, Authorization=header).status_code == status
    assert answer(access, Authorization=b'Bearer ein-w\xf6rt').status_code == 401
    for token in ('abcà', 'abcÅ'):  # their last bytes are blanks to Latin-1
        assert (
            answer(Access(token=token), Authorization=f'Bearer {token} '.encode()).status_code
            == 200
        )
    latin = Access(token='ein-wört-wie-jedes')
    assert (
        answer(latin, Authorization='Bearer ein-wört-wie-jedes'.encode('latin-1')).status_code
        == 200
    )


@pytest.mark.parametrize('path', ['/api/index', '/api/rows/0/crop', '/api/openapi.json', '/', '/x'])
@pytest.mark.parametrize(
    ('access', 'header', 'enters'),
    [
        (BOTH, basic('ann', PASSWORD), True),
        (BOTH, f'bearer {TOKEN}', True),
        (BOTH, None, False),
        (BOTH, '', False),
        (BOTH, basic('ann', TOKEN), False),
        (BOTH, basic('ann', ''), False),
        (BOTH, basic('bob', PASSWORD), False),
        (BOTH, basic('', ''), False),
        (BOTH, f'Bearer {PASSWORD}', False),
        (BOTH, 'Bearer ', False),
        (BOTH, 'Basic !!!', False),
        (BOTH, 'Basic ' + base64.b64encode(b'\xff\xfe').decode(), False),
        (BOTH, f'Digest {TOKEN}', False),
        (Access('ann', PASSWORD), 'Bearer None', False),
        (Access('ann', PASSWORD), 'Bearer ', False),
        (Access(token=TOKEN), basic('None', 'None'), False),
        (Access(token=TOKEN), basic('', ''), False),
        (Access(token=TOKEN), f'Bearer {TOKEN}', True),
        (Access(), None, True),
    ],
)
def test_who_may_enter(answer, access, header, enters, path):
    found = answer(access, path, **({} if header is None else {'Authorization': header.encode()}))
    assert (found.status_code != 401) == enters
    if not enters:
        assert found.json() == {'detail': 'name and password, or a token, are needed'}
        kind = 'Bearer' if access.user is None else 'Basic'
        assert found.headers['www-authenticate'].startswith(f'{kind} realm=')


def test_guesses_are_limited(service, monkeypatch):
    """Ten wrong ones, then one in five seconds, also if it is right; elsewhere nobody notices."""
    clock = SimpleNamespace(now=1000.0, monotonic=lambda: clock.now)
    monkeypatch.setattr('mmclsa.webui.guesses.time', clock)
    app = build_app(service, BOTH)

    def status(address, header, path='/api/index'):
        client = TestClient(app, 'http://localhost', client=(address, 5))
        found = client.get(path, headers={'Authorization': header.encode()} if header else {})
        return found.status_code, found.headers.get('retry-after')

    right, wrong = basic('ann', PASSWORD), basic('ann', 'password')
    with TestClient(app):
        assert [status('10.0.0.8', wrong) for _ in range(10)] == [(401, None)] * 10
        for header in (wrong, right, 'Bearer guess', f'Bearer {TOKEN}'):
            assert status('10.0.0.8', header) == status('::ffff:10.0.0.8', header) == (429, '5')
        assert status('10.0.0.8', None) == (401, None)  # no guess
        assert status('10.0.0.8', None, '/api/health') == (200, None)
        assert status('10.0.0.9', right) == status('10.0.0.9', f'Bearer {TOKEN}') == (200, None)
        clock.now += 3
        assert status('10.0.0.8', right) == (429, '2')
        clock.now += 2
        assert status('10.0.0.8', right) == (200, None)
        assert [status('10.0.0.8', wrong) for _ in range(2)] == [(401, None), (429, '5')]
        # Whoever has an IPv6 address has 2**64 of them.
        assert [status(f'2001:db8::{n}', wrong)[0] for n in range(12)] == [401] * 10 + [429] * 2
        assert status('2001:db8:0:1::1', right) == (200, None)


def test_addresses_that_guessed_are_kept_up_to_a_number(monkeypatch):
    monkeypatch.setattr('mmclsa.webui.guesses._KEPT', 3)
    guesses = Guesses()
    for address in [*[f'10.0.0.{n % 2}' for n in range(40)], '10.0.0.8', '10.0.0.9']:
        guesses.note_wrong(address)
    assert len(guesses._until) == 3
    assert guesses.wait('10.0.0.1') > 0
    assert guesses.wait('10.0.0.0') == 0


def test_an_open_server_counts_no_guesses(answer):
    for _ in range(12):
        assert answer(Access(), Authorization='Bearer guess').status_code == 200


def test_health_needs_no_password(answer):
    assert answer(BOTH, '/api/health').json()['status'] == 'ok'


@pytest.mark.parametrize(
    ('host', 'known'),
    [
        *[('localhost', True), ('localhost:7860', True), ('127.0.0.1:1', True), ('[::1]:80', True)],
        *[('10.0.0.8', True), ('LOCALHOST', True), ('search.example', True)],
        *[('evil.example', False), ('localhost.evil.example', False), ('127.0.0.1.nip.io', False)],
        *[('a@localhost', False), ('', False), ('localhost:x', True)],
        *[('localhost#a', False), ('localhost#', False), ('localhost?', False)],
    ],
)
def test_a_page_that_names_its_host_this_machine_is_refused(answer, host, known):
    """DNS rebinding: even an open server answers by its own names and addresses alone."""
    for path in ('/', '/api/health', '/api/index'):
        found = answer(Access(), path, hosts=['Search.example'], Host=host)
        assert found.status_code == (200 if known else 400)


@pytest.mark.parametrize(
    ('headers', 'status'),
    [
        ({}, 422),
        ({'Origin': 'http://localhost'}, 422),
        ({'Sec-Fetch-Site': 'same-origin', 'Origin': 'http://localhost'}, 422),
        ({'Sec-Fetch-Site': 'none'}, 422),
        ({'Origin': 'http://evil.example'}, 403),
        ({'Origin': 'http://localhost:99'}, 403),
        ({'Origin': 'null'}, 403),
        ({'Origin': ''}, 403),
        ({'Sec-Fetch-Site': 'cross-site'}, 403),
        ({'Sec-Fetch-Site': 'same-site'}, 403),
    ],
)
@pytest.mark.parametrize('path', ['/api/search', '/api/pictures', '/api/export'])
def test_another_site_cannot_send_requests_through_a_browser(answer, path, headers, status):
    assert answer(Access(), path, method='POST', **headers).status_code == status


@pytest.mark.parametrize(
    ('path', 'site', 'status'),
    [
        ('/api/index', 'cross-site', 403),
        ('/api/people?min_similarity=0.1', 'cross-site', 403),
        ('/api/index', 'same-site', 403),
        *[('/api/index', 'same-origin', 200), ('/api/index', 'none', 200)],
        *[('/', 'cross-site', 200), ('/api/health', 'cross-site', 200)],
    ],
)
def test_another_site_cannot_start_work_by_a_picture_address(answer, path, site, status):
    """An <img> of another site whose address is one of ours could start groupings."""
    assert answer(Access(), path, **{'Sec-Fetch-Site': site}).status_code == status


@pytest.mark.parametrize(
    ('origin', 'status'),
    [
        *[('https://search.example', 422), ('https://search.example:444', 422)],
        *[('https://search.example.evil.example', 403), ('https://evil.example', 403)],
        *[('https://a@search.example', 403), ('https://', 403), ('https://[', 403)],
    ],
)
def test_a_proxy_may_pass_its_own_address_on(answer, origin, status):
    """Such as nginx, which names the server behind it in Host."""
    headers = {'Origin': origin, 'Sec-Fetch-Site': 'same-origin'}
    found = answer(Access(), '/api/search', '127.0.0.1:7860', 'POST', ['Search.example'], **headers)
    assert found.status_code == status


@pytest.mark.parametrize('path', ['/', '/api/index', '/api/nothing', '/nothing'])
def test_headers_of_every_answer(answer, path):
    headers = answer(Access(), path).headers
    policy = headers['content-security-policy']
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert 'unsafe' not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers['x-content-type-options'] == 'nosniff'
    assert headers['cross-origin-resource-policy'] == 'same-origin'
    assert headers['referrer-policy'] == 'no-referrer'
    assert headers['cache-control'] == ('no-store' if path.startswith('/api') else 'no-cache')


@pytest.mark.parametrize('path', ['/docs', '/redoc', '/openapi.json', '/api/docs'])
def test_pages_of_fastapi_which_load_from_other_hosts_are_off(answer, path):
    assert answer(Access(), path).status_code == 404


class TestSecrets:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / 'password'
        path.touch(0o600)
        return path

    def test_first_line(self, file, recwarn):
        file.write_bytes(f'{PASSWORD}\r\nsecond line\n'.encode())
        assert read_secret(file, 'password') == PASSWORD
        # Files that other tests have left open may be told of at any time.
        assert not [one for one in recwarn if one.category is not ResourceWarning]

    @pytest.mark.skipif(os.name != 'posix', reason='other systems have no such modes')
    @pytest.mark.parametrize('mode', [0o644, 0o640, 0o604, 0o660])
    def test_file_of_others_is_warned_about(self, file, mode):
        file.write_text(PASSWORD)
        file.chmod(mode)
        with pytest.warns(UserWarning, match='others than you may read the password file'):
            read_secret(file, 'password')

    @pytest.mark.parametrize('content', [b'', b'\n', b'short\n', b'\nsecond line is long enough'])
    def test_too_short(self, file, content):
        file.write_bytes(content)
        with pytest.raises(ConfigError, match='8 characters or more'):
            read_secret(file, 'token')

    def test_no_file_and_no_text(self, file, tmp_path):
        with pytest.raises(ConfigError, match=r'password file .*none cannot be read: No such file'):
            read_secret(tmp_path / 'none', 'password')
        file.write_bytes(b'\xff\xfe\xff\xfe\xff\xfe')
        with pytest.raises(ConfigError, match='no text'):
            read_secret(file, 'password')

    def test_mark_that_windows_writes(self, file):
        file.write_bytes(f'{PASSWORD}\r\n'.encode('utf-8-sig'))
        assert read_secret(file, 'password') == PASSWORD

    @pytest.mark.parametrize('given', [('ann',), ('ann', ''), (None, PASSWORD)])
    def test_name_without_password(self, given):
        """Whoever knew the name could enter."""
        with pytest.raises(ConfigError, match='go together'):
            Access(*given)

    def test_are_not_printed(self):
        assert PASSWORD not in repr(BOTH)
        assert TOKEN not in repr(BOTH)


def test_only_so_many_at_once(service, monkeypatch):
    """And who may not enter takes nobody's place."""
    monkeypatch.setattr('mmclsa.webui.guards._AT_ONCE', 2)
    app, go_on, inside = build_app(service, BOTH), threading.Event(), threading.Semaphore(0)
    monkeypatch.setattr(service, 'summary', lambda: inside.release() or go_on.wait(120) or 1 / 0)
    entering = {'Authorization': f'Bearer {TOKEN}'}
    client = TestClient(app, 'http://localhost', raise_server_exceptions=False)
    with client, ThreadPoolExecutor(2) as pool:
        first = [pool.submit(client.get, '/api/index', headers=entering) for _ in range(2)]
        try:
            for _ in first:
                assert inside.acquire(timeout=60)
            found = client.get('/api/index', headers=entering)
            assert (found.status_code, found.headers['retry-after']) == (503, '5')
            assert found.json()['detail'].startswith('the server has too much to do')
            assert client.get('/api/health').status_code == 200
            assert client.get('/api/index').status_code == 401
        finally:
            go_on.set()
        assert [one.result().status_code for one in first] == [500, 500]
        assert client.get('/api/rows/0', headers=entering).status_code == 200


def test_silent_connections_keep_nobody_out(service, monkeypatch):
    """128 of them kept everybody out, for as long as they liked."""
    monkeypatch.setattr('mmclsa.webui.server._SILENT', 1.0)
    with serving(build_app(service, BOTH)) as address, ExitStack() as stack:
        place = urlsplit(address)
        silent = [
            stack.enter_context(socket.create_connection((place.hostname, place.port), 20))
            for _ in range(130)
        ]
        with urllib.request.urlopen(f'{address}/api/health', timeout=20) as answer:
            assert answer.status == 200
        assert [one.recv(1) for one in silent] == [b''] * 130  # closed


@pytest.mark.parametrize('host', ['0.0.0.0', '', '::', '10.1.2.3', 'no-such-name.invalid'])
def test_others_are_not_served_without_a_password_by_mistake(host):
    with pytest.raises(ConfigError, match=r'--auth USER:PASSWORD-FILE .* or say --no-auth'):
        require_access(host, Access(), no_auth=False)
    require_access(host, Access(), no_auth=True)
    require_access(host, BOTH, no_auth=False)
    with pytest.raises(ConfigError, match='contradicts'):
        require_access(host, BOTH, no_auth=True)


@pytest.mark.parametrize('host', ['127.0.0.1', '127.8.9.1', 'localhost', '::1'])
def test_this_machine_is_served_without_a_password(host):
    require_access(host, Access(), no_auth=False)


@pytest.mark.parametrize('user', ['ann', 'bob'])
@pytest.mark.parametrize('password', [PASSWORD, 'P', ''])
def test_a_guess_is_compared_whole_and_in_constant_time(monkeypatch, user, password):
    compared = []

    def compare(one, two):
        compared.append((len(one), len(two)))
        return one == two

    monkeypatch.setattr('hmac.compare_digest', compare)
    assert BOTH.admits(basic(user, password)) == ((user, password) == ('ann', PASSWORD))
    assert compared == [(32, 32)] * 2
