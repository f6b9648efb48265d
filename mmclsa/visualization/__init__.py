"""Pictures of boxes, ranked results and training runs.

``PersonSearchVisualizer``, the one that needs MMDetection, is imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mmclsa.visualization.canvas import crop_person, draw_boxes, fit_into, write_picture
from mmclsa.visualization.contact_sheet import SheetPerson, draw_contact_sheet
from mmclsa.visualization.curves import (
    cmc_curve,
    draw_cmc,
    draw_training_curves,
    read_scalars,
    save_training_curves,
)
from mmclsa.visualization.differences import (
    BinnedCurve,
    Difference,
    draw_binned_curves,
    draw_differences,
)
from mmclsa.visualization.level_agreement import draw_levels
from mmclsa.visualization.method_costs import draw_methods
from mmclsa.visualization.query_report import (
    QueryCase,
    query_cases,
    render_report,
    save_query_report,
)
from mmclsa.visualization.rank_lists import (
    RankedPerson,
    draw_gallery_montage,
    draw_hit,
    draw_rank_list,
)
from mmclsa.visualization.ranking import picture_loader, save_rank_lists
from mmclsa.visualization.reliability import draw_reliability
from mmclsa.visualization.search_curves import (
    draw_gallery_sizes,
    draw_strata,
    read_report,
    save_search_pictures,
)
from mmclsa.visualization.timeline import draw_timeline

if TYPE_CHECKING:
    from mmclsa.visualization.visualizer import PersonSearchVisualizer

__all__ = [
    'BinnedCurve',
    'Difference',
    'PersonSearchVisualizer',
    'QueryCase',
    'RankedPerson',
    'SheetPerson',
    'cmc_curve',
    'crop_person',
    'draw_binned_curves',
    'draw_boxes',
    'draw_cmc',
    'draw_contact_sheet',
    'draw_differences',
    'draw_gallery_montage',
    'draw_gallery_sizes',
    'draw_hit',
    'draw_levels',
    'draw_methods',
    'draw_rank_list',
    'draw_reliability',
    'draw_strata',
    'draw_timeline',
    'draw_training_curves',
    'fit_into',
    'picture_loader',
    'query_cases',
    'read_report',
    'read_scalars',
    'render_report',
    'save_query_report',
    'save_rank_lists',
    'save_search_pictures',
    'save_training_curves',
    'write_picture',
]


if not TYPE_CHECKING:  # type checkers know the name from above, and no others

    def __getattr__(name: str) -> Any:
        if name == 'PersonSearchVisualizer':
            return getattr(import_module('mmclsa.visualization.visualizer'), name)
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
