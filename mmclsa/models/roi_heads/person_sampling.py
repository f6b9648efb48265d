"""Remembering whom a sampled RoI lies on."""

from __future__ import annotations

from typing import Any

import torch
from mmdet.models.task_modules.samplers import SamplingResult
from mmengine.structures import InstanceData
from torch import Tensor

__all__ = ['PersonSampling', 'sampled_people']


class PersonSampling:
    """A sampler of MMDetection whose result also says who the sampled people are.

    Args:
        sampler: Any of MMDetection's.
    """

    def __init__(self, sampler: Any) -> None:
        self.sampler = sampler

    def sample(
        self,
        assign_result: Any,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        **rest: Any,
    ) -> SamplingResult:
        """Sample as the sampler does, and add ``pos_person_ids`` to the result."""
        result = self.sampler.sample(assign_result, pred_instances, gt_instances, **rest)
        result.pos_person_ids = gt_instances.person_ids[result.pos_assigned_gt_inds]
        return result


def sampled_people(results: list[SamplingResult]) -> tuple[Tensor, Tensor]:
    """Find the people among the RoIs of a batch.

    Args:
        results: Of :class:`PersonSampling`, one a scene; the RoIs of a scene
            are its positive ones, then its negative ones.

    Returns:
        Their positions among all RoIs of the batch, shape (P,), and their ids,
        shape (P,), -1 = unlabelled.
    """
    is_person = [
        torch.arange(len(result.priors), device=result.priors.device) < len(result.pos_inds)
        for result in results
    ]
    ids = [result.pos_person_ids for result in results]
    return torch.cat(is_person).nonzero().squeeze(1), torch.cat(ids)
