"""What a SavedModel answers, and when an answer is the model's, by what the head answers in."""

from kcnn.exporting import box_program, label_program, mask_program

PROGRAMS = {"boxes": box_program, "labels": label_program, "masks": mask_program}
