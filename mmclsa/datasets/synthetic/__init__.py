"""Scenes of people drawn from a seed: nothing to download, nothing on disk."""

from mmclsa.datasets.synthetic.dataset import SyntheticPersonSearch
from mmclsa.datasets.synthetic.scenes import SceneSettings, draw_scene, plan_scene
from mmclsa.datasets.synthetic.search_task import scene_of_plan, search_task

__all__ = [
    'SceneSettings',
    'SyntheticPersonSearch',
    'draw_scene',
    'plan_scene',
    'scene_of_plan',
    'search_task',
]
