"""Addresses and ports to listen on."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket

from mmclsa.errors import ConfigError, UserError

__all__ = ['address_of', 'check_name', 'check_port', 'is_local', 'listen']

_PORTS = range(7860, 7960)
_LARGEST_PORT = 65535


def is_local(host: str) -> bool:
    """Tell whether an address is reached from this machine alone.

    Args:
        host: An address or name to listen on.

    Example:
        >>> is_local('127.0.0.1'), is_local('::1'), is_local('0.0.0.0'), is_local('')
        (True, True, False, False)
    """
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host or '0.0.0.0', None)}
    except (OSError, UnicodeError):
        return False
    return all(ipaddress.ip_address(address.partition('%')[0]).is_loopback for address in found)


def check_port(port: int | None) -> None:
    """Refuse what is no port.

    Raises:
        ConfigError: If it lies not in 1..65535.
    """
    if port is not None and not 1 <= port <= _LARGEST_PORT:
        raise ConfigError(f'--port must lie in 1..{_LARGEST_PORT}, but is {port}')


def check_name(name: str) -> None:
    """Refuse what is no name of a server alone, such as one with a port.

    Raises:
        ConfigError: If it is none.
    """
    if not re.fullmatch(r'[\w.-]+|[\da-fA-F:]+', name):
        raise ConfigError(
            f'--allow-host takes names such as search.example, without http:// and port, not {name}'
        )


def listen(host: str, port: int | None) -> socket.socket:
    """Take a port, before anything is served.

    Args:
        host: Address or name to listen on.
        port: None for the first free one from 7860 on.

    Returns:
        The socket, listening.

    Raises:
        ConfigError: If the port is none.
        UserError: If it is taken, or the address is not this machine's.
    """
    check_port(port)
    for number in _PORTS if port is None else [port]:
        try:
            return _bound(host, number)
        except (OSError, UnicodeError) as error:  # noqa: PERF203
            if port is None and getattr(error, 'errno', None) == errno.EADDRINUSE:
                continue
            reason = getattr(error, 'strerror', None) or error
            raise UserError(
                f'the page cannot be served at {host}, port {number}: {reason}'
            ) from error
    raise UserError(f'every port from {_PORTS[0]} to {_PORTS[-1]} is taken: give --port')


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host or '0.0.0.0', port, type=socket.SOCK_STREAM
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def address_of(listener: socket.socket) -> str:
    """Give the address of a listening socket, without a slash at the end."""
    host, port = listener.getsockname()[:2]
    return f'http://[{host}]:{port}' if ':' in host else f'http://{host}:{port}'
