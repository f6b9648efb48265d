"""Methods side by side: what is compared, tested once, and what each costs."""

from mmclsa.engine.methods.costs import measure_costs
from mmclsa.engine.methods.entries import Method, MethodRun, read_methods
from mmclsa.engine.methods.failing import one_failure
from mmclsa.engine.methods.testing import predict_test_set

__all__ = [
    'Method',
    'MethodRun',
    'measure_costs',
    'one_failure',
    'predict_test_set',
    'read_methods',
]
