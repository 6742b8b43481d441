"""The tables of explainers, which give heat maps, and of views, which give tiles."""

from kcnn.registry import Registry

EXPLAINERS = Registry("explainer")
VIEWS = Registry("view")
