"""Answers: what a trained network says of the pictures that a user brings, by what its head answers in."""

from kcnn.answers.boxes import BoxAnswers
from kcnn.answers.labels import LabelAnswers
from kcnn.answers.masks import MaskAnswers, takes_any_size, whole_mask
from kcnn.answers.naming import name_of, why_unread

TASKS = {"boxes": BoxAnswers, "labels": LabelAnswers, "masks": MaskAnswers}

__all__ = [
    "TASKS",
    "BoxAnswers",
    "LabelAnswers",
    "MaskAnswers",
    "answers_of",
    "name_of",
    "takes_any_size",
    "whole_mask",
    "why_unread",
]


def answers_of(model, head, facts):
    """The answers of a `model` with its `head` on data of these `facts`."""
    return TASKS[head.task](model, head, facts)
