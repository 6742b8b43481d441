"""The table of explainers."""

from kcnn.registry import Registry

EXPLAINERS = Registry("explainer")
