"""How often somebody may try a wrong password."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict

__all__ = ['Guesses']

_AT_ONCE, _EACH = 10, 5.0  # so many, then one in so many seconds
_KEPT = 10_000  # addresses
_NETWORK = 64  # bits of an IPv6 address, of which a visitor has all the rest


class Guesses:
    """Counts wrong passwords by the address that they come from.

    Ten are taken at once, then one in five seconds. Meanwhile nothing is
    compared, so that a right guess is refused as well.

    Example:
        >>> guesses = Guesses()
        >>> for _ in range(10):
        ...     guesses.note_wrong('10.0.0.8')
        >>> guesses.wait('10.0.0.8'), guesses.wait('10.0.0.9')
        (5, 0)
    """

    def __init__(self) -> None:
        # When all that was tried from a network will be forgotten.
        self._until: OrderedDict[str, float] = OrderedDict()

    def wait(self, address: str) -> int:
        """Tell how many seconds somebody has to wait; 0 if another guess is taken."""
        until = self._until.get(_network_of(address), 0.0)
        return max(0, math.ceil(until - time.monotonic() - (_AT_ONCE - 1) * _EACH))

    def note_wrong(self, address: str) -> None:
        """Take down a wrong guess."""
        network = _network_of(address)
        until = max(self._until.pop(network, 0.0), time.monotonic())
        self._until[network] = until + _EACH
        while len(self._until) > _KEPT:
            self._until.popitem(last=False)


def _network_of(address: str) -> str:
    try:
        known = ipaddress.ip_address(address.partition('%')[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ipaddress.ip_network((int(known), _NETWORK), strict=False))
