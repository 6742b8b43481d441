"""The table of task heads."""

from kcnn.registry import Registry

HEADS = Registry("head")
