"""What a SavedModel answers, and when an answer is the model's, by what the head answers in."""

from kcnn.exporting import label_program, mask_program

PROGRAMS = {"labels": label_program, "masks": mask_program}
