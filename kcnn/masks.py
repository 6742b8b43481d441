"""Masks as every room sees them: one class number a place, 0 to K - 1; `IGNORE` where nothing is right or wrong."""

import colorsys

import numpy as np

IGNORE = 255  # what is not judged: borders, crowds, what lies outside the picture
MOST_CLASSES = 255
GOLDEN = 0.618033988749895  # turns of the hue from class to class: no two near ones look alike


def colours(count):
    """uint8 (count, 3): one colour a class for drawing, always the same; class 0, mostly the background, is grey."""
    rings = [(0.85, 0.95), (0.55, 0.95), (0.9, 0.65)]
    drawn = [colorsys.hsv_to_rgb(i * GOLDEN % 1, *rings[i % len(rings)]) for i in range(count - 1)]
    return np.rint(255 * np.array([(0.5, 0.5, 0.5), *drawn][:count])).astype(np.uint8).reshape(-1, 3)
