"""Literal and slow: each rule of docs/evaluation.md as a loop."""

from __future__ import annotations

import numpy as np


def box_iou(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)]
    union = sum(areas) - common
    return common / union if union > 0 else 0.0


def reference_ap(labels, scores, num_truths):
    """Walk down the ranking; equal scores are taken together."""
    total, found, seen = 0.0, 0, 0
    for level in sorted(set(scores), reverse=True):
        group = [label for label, score in zip(labels, scores) if score == level]
        seen += len(group)
        found += sum(group)
        total += sum(group) * found / seen
    return total / num_truths if num_truths else 0.0


def reference_search(protocol, predictions, det_thresh=0.5, max_iou=0.5):
    """Average precision and place of the first hit of each query."""
    precisions, ranks = [], []
    for query in range(len(protocol)):
        feature = predictions.query_embeddings[protocol.query_ids[query]]
        truth_images, truth_boxes = protocol.truth(query)
        candidates, seen = [], set()
        for image in protocol.gallery(query):
            if image in seen:
                continue
            seen.add(image)
            rows = [
                row
                for row in range(len(predictions.scores))
                if predictions.images[row] == protocol.images[image]
                and predictions.scores[row] >= det_thresh
            ]
            similarities = [float(predictions.embeddings[row] @ feature) for row in rows]
            right = None
            if image in truth_images:
                truth = truth_boxes[list(truth_images).index(image)]
                width, height = truth[2] - truth[0], truth[3] - truth[1]
                needed = min(max_iou, width * height / ((width + 10) * (height + 10)))
                for place, row in enumerate(rows):
                    overlaps = box_iou(predictions.boxes[row], truth) >= needed
                    if overlaps and (right is None or similarities[place] > similarities[right]):
                        right = place
            candidates += [(s, place == right) for place, s in enumerate(similarities)]
        ranking = sorted(candidates, key=lambda candidate: -candidate[0])
        hits = [place for place, (_, label) in enumerate(ranking, 1) if label]
        ranks.append(hits[0] if hits else 0)
        labels, scores = [c[1] for c in candidates], [c[0] for c in candidates]
        precisions.append(reference_ap(labels, scores, len(truth_images)))
    return np.array(precisions), np.array(ranks)


def reference_detection(scenes, found, score_thresh=0.01, iou_thresh=0.5):
    """Recall and AP with matches that are each other's best."""
    labels, scores, people = [], [], 0
    for scene, (boxes, confidence) in zip(scenes, found):
        people += len(scene.boxes)
        kept = [i for i in range(len(boxes)) if confidence[i] >= score_thresh]
        overlaps = np.array(
            [[np.float32(box_iou(t, boxes[i])) for i in kept] for t in scene.boxes]
        ).reshape(len(scene.boxes), len(kept))
        for column, index in enumerate(kept):
            label = False
            if len(scene.boxes):
                best = int(overlaps[:, column].argmax())
                label = bool(
                    overlaps[best].argmax() == column and overlaps[best, column] >= iou_thresh
                )
            labels.append(label)
            scores.append(float(confidence[index]))
    recall = sum(labels) / people if people else 0.0
    return recall, reference_ap(labels, scores, people)
