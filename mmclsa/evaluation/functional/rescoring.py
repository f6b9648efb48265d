"""Re-scoring of the best detections before they are ranked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmclsa.evaluation.functional.candidates import Candidates
from mmclsa.evaluation.functional.cbgm import context_match, most_similar, most_similar_images
from mmclsa.evaluation.functional.expansion import expand_query
from mmclsa.evaluation.functional.flags import SearchFlags
from mmclsa.evaluation.functional.gallery import Gallery, normalised
from mmclsa.evaluation.functional.rerank import k_reciprocal_distances
from mmclsa.structures import Context

__all__ = ['Rescoring']


@dataclass(frozen=True)
class Rescoring:
    """What the flags ask for beyond the similarity of two embeddings.

    Attributes:
        candidates: The pairs of a chunk of queries.
        gallery: What is searched.
        flags: Which second looks, and their options.
    """

    candidates: Candidates
    gallery: Gallery
    flags: SearchFlags

    def expanded(self, similarities: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Make the features of the second search by alpha query expansion.

        Args:
            similarities: Of each pair, shape (P,).
            features: Of each row, shape (R, D).

        Returns:
            Shape (R, D).
        """
        again = features.copy()
        for row, feature in enumerate(features):
            part = self.candidates.row(row)
            best = most_similar(similarities[part], self.flags.expand)
            found = self.gallery.embeddings[self.candidates.members[part][best]]
            again[row] = expand_query(
                feature, found, similarities[part][best], self.flags.expand_alpha
            )
        return again

    def match_contexts(
        self,
        similarities: np.ndarray,
        features: np.ndarray,
        numbers: np.ndarray,
        context: Context,
        sizes: tuple[int, int],
    ) -> None:
        """Re-score, in place, the images that look best for each query, by CBGM.

        Args:
            similarities: Of each pair, shape (P,).
            features: Of each row, shape (R, D); stands for the query itself.
            numbers: Place of each row's query in the predictions, shape (R,).
            context: The people around the queries.
            sizes: The protocol's k1 and k2.
        """
        k1, k2 = self.flags.cbgm_sizes(sizes)
        for row, feature in enumerate(features):
            part = self.candidates.row(row)
            members, values = self.candidates.members[part], similarities[part]
            people = context.of(int(numbers[row]), k2)
            if not len(people) or not len(members):
                continue
            if self.flags.similarity != 'dot':
                people = normalised(people)
            people = np.concatenate([feature[None], people[1:]])
            for image in most_similar_images(values, self.gallery.images[members], k1):
                start = self.gallery.starts[image]
                there = slice(start, start + self.gallery.lengths[image])
                match = context_match(people, self.gallery.embeddings[there])
                if match is not None:
                    own = members == start + match[0]
                    mean = self.flags.cbgm_value == 'mean'
                    values[own] = (values[own] + match[1]) / 2 if mean else match[1]

    def rerank(self, similarities: np.ndarray, features: np.ndarray) -> None:
        """Re-order the best detections of each query, in place.

        Their similarities are redistributed: the first in the new order takes
        the largest. All others stay below them, as they were.

        Args:
            similarities: Of each pair, shape (P,).
            features: Of each row, shape (R, D).
        """
        flags = self.flags
        for row, feature in enumerate(features):
            part = self.candidates.row(row)
            values = similarities[part]
            head = most_similar(values, flags.rerank_depth)
            if not len(head):
                continue
            found = self.gallery.embeddings[self.candidates.members[part][head]]
            distances = k_reciprocal_distances(
                feature, found, flags.rerank_k1, flags.rerank_k2, flags.rerank_weight
            )
            values[head[np.argsort(distances, kind='stable')]] = values[head]
