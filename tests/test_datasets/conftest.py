"""Fixtures of the data tests."""

from __future__ import annotations

import pytest
from mmengine.registry import DefaultScope


@pytest.fixture(autouse=True)
def _scope(_clean_globals):
    """Find our transforms by their bare names, as under a config."""
    with DefaultScope.overwrite_default_scope('mmclsa'):
        yield
