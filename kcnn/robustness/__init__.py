"""Robustness: how a session's score falls when pictures are corrupted, and when they are changed to mislead it."""

from kcnn.robustness.attacks import ATTACKS
from kcnn.robustness.corruptions import CORRUPTIONS, corrupted
from kcnn.robustness.measuring import example, measure

__all__ = ["ATTACKS", "CORRUPTIONS", "corrupted", "example", "measure"]
