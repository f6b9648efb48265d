"""The data sets are imported when the first is asked for, and look as if they always were."""

from __future__ import annotations

import pytest

import mmclsa.datasets
from mmclsa.datasets import registration
from mmclsa.registry import DATASETS
from tests.helpers import run_python


def test_names_are_those_that_are_registered():
    assert mmclsa.datasets.__all__ == registration.__all__
    assert set(mmclsa.datasets.__all__) <= set(dir(mmclsa.datasets))
    DATASETS.import_from_location()
    for name in mmclsa.datasets.__all__:
        found = getattr(mmclsa.datasets, name)
        assert found is getattr(registration, name)
        if name != 'BasePersonSearchDataset':
            assert DATASETS.module_dict[name] is found


def test_other_names_are_none():
    with pytest.raises(AttributeError, match=r"'mmclsa\.datasets' has no attribute 'Nothing'"):
        mmclsa.datasets.Nothing  # noqa: B018
    with pytest.raises(ImportError, match='Nothing'):
        from mmclsa.datasets import Nothing  # noqa: F401


def test_a_config_finds_every_data_set():
    code = """
import mmclsa.datasets
from mmclsa.datasets import readers
import sys
assert 'mmdet' not in sys.modules
from mmclsa.registry import DATASETS
print(DATASETS.get('PRWDataset').__name__)
missing = set(mmclsa.datasets.__all__) - set(DATASETS.module_dict)
assert missing == {'BasePersonSearchDataset'}, missing
"""
    result = run_python('-c', code)
    assert result.returncode == 0, result.stderr
    assert 'PRWDataset' in result.stdout
