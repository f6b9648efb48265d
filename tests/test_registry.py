"""The registries of mmclsa."""

from __future__ import annotations

import logging

import mmengine.registry
import pytest
from mmengine.registry import Registry, init_default_scope

import mmclsa.registry

ROOTS = {
    name: value for name, value in vars(mmengine.registry).items() if isinstance(value, Registry)
}
# No config builds of these: MMEngine's and MMDetection's own tools look them up by name.
NOT_BUILT = {'FUNCTIONS', 'INFERENCERS'}


@pytest.mark.parametrize('name', sorted(ROOTS.keys() - NOT_BUILT))
def test_every_root_has_a_child_so_that_no_start_warns(name):
    """MMEngine warns of "unexpected failure" where a root has no child in the default scope."""
    child = getattr(mmclsa.registry, name)
    assert child.parent is ROOTS[name]
    assert child.scope == 'mmclsa'
    assert name in mmclsa.registry.__all__


def test_what_mmengine_has_is_built_without_a_warning(caplog):
    init_default_scope('mmclsa')
    with caplog.at_level(logging.WARNING):
        backend = mmengine.registry.VISBACKENDS.build(dict(type='LocalVisBackend', save_dir='x'))
    assert type(backend).__name__ == 'LocalVisBackend'
    assert 'Failed to search registry' not in caplog.text
