"""Grids of training runs: rows of settings, several seeds each, compared in pairs."""

from mmclsa.engine.ablation.claims import Claim, is_claimed, take_claim
from mmclsa.engine.ablation.grid import Grid, Row, fingerprint, read_grid, row_config
from mmclsa.engine.ablation.results import collect_runs, write_results
from mmclsa.engine.ablation.schedule import all_runs, chosen_runs, work_through

__all__ = [
    'Claim',
    'Grid',
    'Row',
    'all_runs',
    'chosen_runs',
    'collect_runs',
    'fingerprint',
    'is_claimed',
    'read_grid',
    'row_config',
    'take_claim',
    'work_through',
    'write_results',
]
