"""Synthetic scenes, drawn from a seed: people, the camera, the data set."""

from mmclsa.datasets.synthetic.dataset import SyntheticPersonSearch

__all__ = ['SyntheticPersonSearch']
