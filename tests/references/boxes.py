"""Slow references for boxes in plain Python and NumPy, written from the papers, one box at a time."""

import math

import numpy as np


def area(box):
    return max(box[2] - box[0], 0) * max(box[3] - box[1], 0)


def iou(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    union = area(a) + area(b) - shared
    return shared / union if union > 0 else 0.0


def greedy(boxes, classes, threshold, by_class):
    """The classic loop: bool (M,), which of boxes, best first, stay."""
    stays = []
    for i, box in enumerate(boxes):
        hidden = any(
            iou(boxes[j], box) > threshold and (not by_class or classes[j] == classes[i]) for j in range(i) if stays[j]
        )
        stays.append(bool(classes[i] >= 0 and not hidden))
    return np.array(stays)


def matched(anchors, boxes, classes, positive, negative, rescue):
    """(object, positive, ignored) of each anchor of one picture."""
    table = np.array(
        [[iou(anchor, box) if k >= 0 else -1 for box, k in zip(boxes, classes, strict=True)] for anchor in anchors]
    )
    found = []
    for row in table:
        best = int(np.argmax(row))
        found.append([best, row[best] >= positive, negative <= row[best] < positive])
    if rescue:
        for i, row in enumerate(table):
            own = [j for j in range(len(boxes)) if row[j] > 0 and row[j] == table[:, j].max()]
            if own:
                found[i] = [max(own, key=lambda j: row[j]), True, False]
    return [
        np.array(part) for part in zip(*[(n if yes else 0, yes, ignored) for n, yes, ignored in found], strict=True)
    ]


def widened(low, high, least):
    """The ends of an interval that is made at least so long, around its middle."""
    more = max(least - (high - low), 0) / 2
    return low - more, high + more


def task_aligned(scores, guesses, points, boxes, classes, most, alpha, beta, narrowest):
    """(object, positive, quality) of each place of one picture."""
    count, wants = len(points), {}
    measure, overlap = np.zeros((len(boxes), count)), np.zeros((len(boxes), count))
    for n, (box, k) in enumerate(zip(boxes, classes, strict=True)):
        x0, x1 = widened(box[0], box[2], narrowest)
        y0, y1 = widened(box[1], box[3], narrowest)
        for a, (x, y) in enumerate(points):
            overlap[n, a] = iou(guesses[a], box)
            if k >= 0 and x0 < x < x1 and y0 < y < y1:
                measure[n, a] = scores[a, k] ** alpha * overlap[n, a] ** beta
        for a in np.argsort(-measure[n], kind="stable")[:most]:
            if measure[n, a] > 0:
                wants.setdefault(int(a), []).append(n)
    owner = {a: max(each, key=lambda n: overlap[n, a]) for a, each in wants.items()}
    quality = np.zeros(count)
    for n in range(len(boxes)):
        own = [a for a, each in owner.items() if each == n]
        for a in own:
            quality[a] = measure[n, a] * max(overlap[n, own]) / max(measure[n, own])
    return np.array([owner.get(a, 0) for a in range(count)]), np.array([a in owner for a in range(count)]), quality


def align(levels, strides, box, size, samples):
    """(size, size, C) of one box by RoIAlign."""
    wanted = math.floor(4 + math.log2(max(math.sqrt(area(box)), 1e-3) / 224) + 1e-6)
    place = min(max(wanted - int(math.log2(strides[0])), 0), len(strides) - 1)
    level, stride, found = levels[place], strides[place], np.zeros((size, size, levels[0].shape[-1]))
    for i in range(size * samples):
        for j in range(size * samples):
            y = (box[1] + (i + 0.5) * (box[3] - box[1]) / (size * samples)) / stride - 0.5
            x = (box[0] + (j + 0.5) * (box[2] - box[0]) / (size * samples)) / stride - 0.5
            found[i // samples, j // samples] += bilinear(level, y, x) / samples**2
    return found


def bilinear(level, y, x):
    y, x = min(max(y, 0), level.shape[0] - 1), min(max(x, 0), level.shape[1] - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, level.shape[0] - 1), min(left + 1, level.shape[1] - 1)
    upper = level[top, left] * (1 - x + left) + level[top, right] * (x - left)
    lower = level[bottom, left] * (1 - x + left) + level[bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)
