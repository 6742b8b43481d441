"""Findings about masks: those set aside, of another size, of a single class; and classes that are hardly there."""

import numpy as np

from kcnn.data.checks import mask_misfits
from kcnn.doctor.record import Case
from kcnn.doctor.single import shown
from kcnn.doctor.words import share

KINDS = ("mask_set_aside", "mask_size", "mask_of_one_class", "rare_places")
RATIO = 20  # places of the commonest class over those of the rarest


def mask_cases(survey, dataset):
    """{kind: [Case]} of a data set with masks, {} of any other."""
    if dataset.task != "masks":
        return {}
    found = {"mask_set_aside": [Case(detail=f"{name}: {reason}") for name, reason in dataset.set_aside]}
    found |= {"mask_size": [], "mask_of_one_class": []}
    for split, samples in dataset.splits.items():
        members = np.flatnonzero(survey.splits == split)
        for i, reason in sorted(mask_misfits(samples, survey.examination(split)).items()):
            found["mask_size"].append(Case(pictures=(shown(survey, members[i]),), detail=reason))
        pixels = samples.counted(dataset.num_classes)
        for i in np.flatnonzero((pixels > 0).sum(1) == 1):
            detail = f"all of it {dataset.class_names[pixels[i].argmax()]}"
            found["mask_of_one_class"].append(Case(pictures=(shown(survey, members[i]),), detail=detail))
    return found | _rare(np.array(dataset.class_pixels("train")), dataset.class_names)


def _rare(pixels, names):
    present = np.flatnonzero(pixels)
    if len(present) < 2 or pixels.max() < RATIO * pixels[present].min():
        return {}
    most, least = pixels.argmax(), present[pixels[present].argmin()]
    words = (f"{names[k]} {share(pixels[k], pixels.sum())}" for k in (most, least))
    return {"rare_places": [Case(detail=f"{pixels[most] / pixels[least]:.1f} to 1: {', '.join(words)} in train")]}
