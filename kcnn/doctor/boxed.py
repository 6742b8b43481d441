"""A sheet of the training pictures with their boxes: do these lie on the objects, and are the names right?"""

from dataclasses import replace

from kcnn.data.samples import Arrays
from kcnn.data.stream import batches
from kcnn.doctor.masked import SIDE, to_draw
from kcnn.evaluation.box_diagrams import sheet


def write_boxes(dataset, path, max_pixels):
    """Draw as PNG at `path` training pictures of a `dataset` with objects; False where none can be used as it is."""
    some, headers = to_draw(dataset.splits["train"], max_pixels)
    if some is None:
        return False
    arrays = isinstance(some.images, Arrays)
    if not arrays:
        some = replace(some, images=replace(some.images, headers=headers))
    frame = some.images.values.shape[1:] if arrays else (SIDE, SIDE, 3)
    shape = {"num_classes": dataset.num_classes, "framing": "pad", "max_pixels": max_pixels}
    batch = next(batches(some, frame, len(some), training=False, **shape).as_numpy_iterator())
    found = [{key: batch[key][i][batch["classes"][i] >= 0] for key in ("boxes", "classes")} for i in range(len(some))]
    sheet(list(some.names), batch["image"], found, dataset.class_names, path)
    return True
