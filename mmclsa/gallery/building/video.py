"""The former name of :mod:`mmclsa.media.video`."""

from mmclsa.media.sampling import Sampling
from mmclsa.media.suffixes import VIDEO_SUFFIXES
from mmclsa.media.video import VideoReader

__all__ = ['VIDEO_SUFFIXES', 'Sampling', 'VideoReader', 'VideoStream']

VideoStream = VideoReader
