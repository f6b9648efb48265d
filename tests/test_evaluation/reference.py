"""Literal and slow: each rule of docs/evaluation.md as a loop."""

from __future__ import annotations

import numpy as np

from mmclsa.evaluation.functional import SearchFlags


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


def unit(vector):
    length = float(np.sqrt((vector**2).sum()))
    return vector / length if length else vector


def edged(box):
    """A box whose right and lower edge are pixels too."""
    return [box[0], box[1], box[2] + 1, box[3] + 1]


def reference_feature(predictions, number, flags):
    """The embedding that a query is searched with, or None."""
    feature = predictions.query_embeddings[number]
    if flags.query_feature == 'matched_det':
        rows = [
            row
            for row in range(len(predictions.scores))
            if predictions.images[row] == predictions.query_images[number]
        ]
        if not rows:
            return None
        box = edged(predictions.query_boxes[number])
        overlaps = [box_iou(edged(predictions.boxes[row]), box) for row in rows]
        feature = predictions.embeddings[rows[int(np.argmax(overlaps))]]
    return feature if flags.similarity == 'dot' else unit(feature)


def reference_similarity(predictions, row, feature, flags):
    embedding = predictions.embeddings[row]
    if flags.similarity != 'dot':
        embedding = unit(embedding)
    if flags.similarity == 'score_weighted':
        embedding = embedding * predictions.scores[row]
    return float(embedding @ feature)


def allowed(protocol, query, image, flags):
    """The camera rule; 'all' is the protocol's own where it leaves nothing out."""
    return flags.camera != 'cross' or protocol.image_cams[image] != protocol.cam_ids[query]


def reference_search(protocol, predictions, flags=None):
    """Average precision, place of the first hit, and whether the query counts."""
    flags = flags or SearchFlags()
    precisions, ranks, counted = [], [], []
    for query in range(len(protocol)):
        feature = reference_feature(predictions, protocol.query_ids[query], flags)
        gallery = [i for i in protocol.gallery(query) if allowed(protocol, query, i, flags)]
        pairs = list(zip(*(part.tolist() for part in protocol.truth(query))))
        pairs = [(i, box) for i, box in pairs if allowed(protocol, query, i, flags)]
        truths = [image for image, _ in pairs]
        boxes = dict(reversed(pairs))
        candidates, seen = [], set()
        for image in gallery if feature is not None else []:
            if image in seen and flags.duplicates != 'double':
                continue
            seen.add(image)
            rows = [
                row
                for row in range(len(predictions.scores))
                if predictions.images[row] == protocol.images[image]
                and predictions.scores[row] >= flags.det_thresh
            ]
            similarities = [reference_similarity(predictions, r, feature, flags) for r in rows]
            right = None
            if image in boxes:
                truth = boxes[image]
                width, height = truth[2] - truth[0], truth[3] - truth[1]
                needed = flags.max_iou_thresh
                if flags.iou_rule == 'wh10':
                    needed = min(needed, width * height / ((width + 10) * (height + 10)))
                for place, row in enumerate(rows):
                    overlaps = box_iou(predictions.boxes[row], truth) >= needed
                    if overlaps and (right is None or similarities[place] > similarities[right]):
                        right = place
            candidates += [(s, place == right) for place, s in enumerate(similarities)]
        ranking = sorted(candidates, key=lambda candidate: -candidate[0])
        hits = [place for place, (_, label) in enumerate(ranking, 1) if label]
        ranks.append(hits[0] if hits else 0)
        labels, scores = [c[1] for c in candidates], [c[0] for c in candidates]
        total = len(set(truths)) if flags.duplicates == 'dedup' else len(truths)
        precisions.append(reference_ap(labels, scores, total))
        counted.append(flags.missing_query == 'zero' or (feature is not None and bool(truths)))
    return np.array(precisions), np.array(ranks), np.array(counted, dtype=bool)


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
