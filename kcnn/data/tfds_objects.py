"""Objects of TensorFlow Datasets: a sequence of boxes with their classes, as VOC, COCO and KITTI have it there."""

import io

import numpy as np

from kcnn.data.box_checks import BoxProblems
from kcnn.data.object_samples import size_of
from kcnn.data.objects import Objects
from kcnn.data.samples import DataSet, Encoded, Samples, as_strings, numbered
from kcnn.data.splits import split_name
from kcnn.errors import UserError

CROWDS = ("is_crowd", "is_difficult")  # features of an object that counts as a crowd


def objects_feature(info):
    """(name of the sequence, of its boxes, of its classes) in a set's `info`, or None where it has no objects."""
    from tensorflow_datasets import features

    for key, feature in info.features.items():
        inner = getattr(feature, "feature", None)
        if isinstance(feature, features.Sequence) and isinstance(inner, features.FeaturesDict):
            boxes = [name for name, part in inner.items() if isinstance(part, features.BBoxFeature)]
            classes = [name for name, part in inner.items() if isinstance(part, features.ClassLabel)]
            if boxes and classes:
                return key, boxes[0], "label" if "label" in classes else classes[0]
    return None


def read_objects(builder, feature):
    """All splits of a prepared `builder`: encoded pictures, and the boxes of `feature`, from `objects_feature`."""
    from tensorflow_datasets import features

    key, box, label = feature
    pictures = [name for name, part in builder.info.features.items() if type(part) is features.Image]
    if len(pictures) != 1:
        raise UserError(
            f"data tfds:{builder.name} has {len(pictures)} picture features beside its objects; a detector needs one"
        )
    inner = builder.info.features[key].feature
    crowds = [name for name in CROWDS if name in inner]
    names, problems, splits = tuple(inner[label].names), BoxProblems(), {}
    for split in sorted(builder.info.splits):
        if builder.info.splits[split].num_examples:
            rows = _rows(builder, split, pictures[0], key)
            splits[split_name(split)] = _samples(rows, split, (box, label, crowds), len(names), problems)
    format = f"TensorFlow Datasets {builder.info.full_name}, encoded, boxes by the feature {key!r}"
    return DataSet(splits, names, False, format, problems.notes())


def _rows(builder, split, image, key):
    """Yields (encoded picture, {name: values of its objects}) of a split."""
    import tensorflow_datasets

    wanted = tensorflow_datasets.decode.PartialDecoding(
        {image: True, key: True}, {image: tensorflow_datasets.decode.SkipDecoding()}
    )
    config = tensorflow_datasets.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    stream = builder.as_dataset(split=split, shuffle_files=False, read_config=config, decoders=wanted)
    return ((row[image], row[key]) for row in stream.as_numpy_iterator())


def _samples(rows, split, parts, num_classes, problems):
    """`Samples` of `_rows`; a picture whose header cannot be read has no boxes, and the check sets it aside."""
    (box, label, crowds), pictures, boxes, classes, crowd = parts, [], [], [], []
    for i, (picture, objects) in enumerate(rows):
        try:
            height, width = size_of(io.BytesIO(picture))
        except UserError:
            height = width = 0
        y0, x0, y1, x1 = np.asarray(objects[box], np.float64).reshape(-1, 4).T
        given = np.stack([x0 * width, y0 * height, x1 * width, y1 * height], -1)
        kinds = np.asarray(objects[label], np.int32)
        cut, good = problems.usable(given, kinds, (height, width), f"{split} {i}")
        good &= kinds >= 0
        many = np.zeros(len(kinds), bool)
        for name in crowds:
            many |= np.asarray(objects[name], bool)
        pictures.append(picture)
        boxes.append(cut[good])
        classes.append(kinds[good])
        crowd.append(many[good])
    objects = Objects.of(boxes, classes, crowd)
    images = Encoded(as_strings(pictures))
    return Samples(images, objects.occurring(num_classes), numbered(len(pictures), split), objects=objects)
