from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mmclsa.errors import ConfigError
from mmclsa.evaluation.device import product_on
from mmclsa.evaluation.functional import SearchFlags, evaluate_search
from tests.test_evaluation.cases import continuous, make_case


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
@pytest.mark.parametrize('flags', [SearchFlags(), SearchFlags(expand=2, similarity='cosine')])
def test_torch_gives_the_figures_of_numpy(dtype, flags):
    for seed in range(5):
        _, protocol, predictions = make_case(seed, listed=False)
        predictions = continuous(seed, predictions)
        predictions = replace(
            predictions,
            embeddings=predictions.embeddings.astype(dtype),
            query_embeddings=predictions.query_embeddings.astype(dtype),
        )
        numpy = evaluate_search(protocol, predictions, flags)
        torch = evaluate_search(protocol, predictions, flags, make_product=product_on('torch'))
        np.testing.assert_allclose(
            torch.average_precisions, numpy.average_precisions, rtol=0, atol=1e-6
        )


def test_an_unknown_device_is_one_sentence():
    with pytest.raises(ConfigError, match=r"device 'gpu' cannot be used: .+"):
        product_on('gpu')
