"""How much a visitor may ask for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['MAX_HITS', 'MAX_LOOKS', 'MAX_NUMBER', 'MAX_ROWS', 'Limits']

#: Hits of one search.
MAX_HITS = 200
#: Pictures and rows that one query is made of.
MAX_LOOKS = 20
#: Rows confirmed or rejected.
MAX_ROWS = 1000
#: Of a row or a frame: what a browser counts exactly.
MAX_NUMBER = 2**53 - 1


@dataclass(frozen=True)
class Limits:
    """How much a visitor may ask for, and how much is kept for visitors.

    Attributes:
        max_upload_mb: Larger uploads are refused while they come in, MB.
        max_pixels: Larger pictures are refused before they are decoded.
        kept_mb: Of uploaded pictures, all visitors together, MB.
        kept_seconds: For so long after its last use an uploaded picture is kept.
        cached_mb: Of encoded scenes and crops, MB.
    """

    max_upload_mb: int = 20
    max_pixels: int = 40_000_000
    kept_mb: int = 512
    kept_seconds: float = 3600.0
    cached_mb: int = 64
