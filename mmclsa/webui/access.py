"""Who may use page and REST interface."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import stat
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from mmclsa.errors import ConfigError
from mmclsa.webui.addresses import is_local

__all__ = ['Access', 'read_secret', 'require_access']

_SHORTEST = 8


@dataclass(frozen=True)
class Access:
    """Name and password, and a token; without either everybody may.

    Attributes:
        user: Name for HTTP Basic; None if there is no password.
        password: Its password.
        token: Bearer token for programs; None if there is none.

    Raises:
        ConfigError: If there is a name without a password, or a password without a name.

    Example:
        >>> access = Access('ann', 'correct horse', 'token-of-programs')
        >>> access.admits('Bearer token-of-programs'), access.admits('Bearer other')
        (True, False)
        >>> access.admits(None), Access().admits(None)
        (False, True)
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.user is None) != (self.password is None) or self.password == '':
            raise ConfigError('a name and its password go together')

    @property
    def asked(self) -> bool:
        """Whether anything is asked of visitors."""
        return self.user is not None or self.token is not None

    @property
    def challenge(self) -> str:
        """What a browser is told, so that it asks for name and password."""
        basic = 'Basic realm="mmclsa", charset="UTF-8"'
        return 'Bearer realm="mmclsa"' if self.user is None else basic

    def admits(self, header: str | None) -> bool:
        """Tell whether a visitor may enter.

        The time it takes does not depend on how much of a guess is right.

        Args:
            header: ``Authorization`` of the request.

        Returns:
            Whether it names the user with the password, or the token.
        """
        if not self.asked:
            return True
        scheme, _, given = (header or '').strip(' \t').partition(' ')
        if scheme.lower() == 'bearer' and self.token is not None:
            return _same(_as_utf8(given.strip(' \t')), self.token)
        if scheme.lower() == 'basic' and self.user is not None:
            name, _, password = _decoded(given.strip()).partition(':')
            # Both are compared always.
            return _same(name, self.user) & _same(password, self.password or '')
        return False


def _same(given: str, expected: str) -> bool:
    digests = [
        hashlib.sha256(text.encode('utf-8', 'replace')).digest() for text in (given, expected)
    ]
    return hmac.compare_digest(*digests)


def _as_utf8(text: str) -> str:
    """Read a header, which servers decode as Latin-1, as the UTF-8 that programs send."""
    try:
        return text.encode('latin-1').decode()
    except UnicodeError:
        return text


def _decoded(given: str) -> str:
    try:
        return base64.b64decode(given, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ''


def read_secret(path: str | Path, what: str) -> str:
    """Read a password or token: the first line of its file.

    Args:
        path: The file.
        what: What it is called in messages.

    Returns:
        The text, without blanks around it.

    Raises:
        ConfigError: If it cannot be read, or the line is shorter than 8 characters.

    Warns:
        UserWarning: If others than its owner can read the file.
    """
    try:
        text = Path(path).read_text('utf-8-sig')  # Windows editors write a mark
        mode = os.stat(path).st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or 'it is no text'
        raise ConfigError(f'the {what} file {path} cannot be read: {reason}') from error
    secret = text.partition('\n')[0].strip()
    if len(secret) < _SHORTEST:
        raise ConfigError(
            f'the first line of the {what} file {path} must be the {what}, '
            f'{_SHORTEST} characters or more, but has {len(secret)}'
        )
    if stat.S_ISREG(mode) and mode & 0o077:
        warnings.warn(
            f'others than you may read the {what} file {path}: chmod 600 it', stacklevel=2
        )
    return secret


def require_access(host: str, access: Access, no_auth: bool) -> None:
    """Refuse to serve footage to everybody by mistake.

    Args:
        host: Address to listen on.
        access: Who may enter.
        no_auth: Whether the user wants it so.

    Raises:
        ConfigError: If others than this machine could enter without a password.
    """
    if no_auth and access.asked:
        raise ConfigError('--no-auth contradicts --auth and --token-file')
    if not (is_local(host) or access.asked or no_auth):
        raise ConfigError(
            f'everybody who reaches {host or "this machine"} would see the footage: give '
            '--auth USER:PASSWORD-FILE or --token-file FILE, or say --no-auth'
        )
