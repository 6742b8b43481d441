"""Masks of TensorFlow Datasets: a labelled image, or an image whose name says that it is a mask."""

import numpy as np

from kcnn.data.mask_arrays import from_masks
from kcnn.data.mask_classes import notes_of
from kcnn.data.samples import DataSet, Encoded, Samples, numbered
from kcnn.data.splits import split_name
from kcnn.errors import UserError

NAMES = ("segmentation_mask", "mask", "masks", "segmentation", "segmentation_label", "annotation", "image_label")


def mask_feature(info, wanted):
    """The feature of a set's `info` that is learned as masks, or None where classes of whole pictures are.

    The feature `wanted` (data.label_column) if it is a mask; that of the set's supervised keys; the only one, where no
    feature is a class.
    """
    from tensorflow_datasets import features

    found = info.features
    masks = [key for key, feature in found.items() if _is_mask(key, feature)]
    target = (info.supervised_keys or (None, None))[1]
    if wanted in masks or target in masks:
        return wanted if wanted in masks else target
    labels = [key for key, feature in found.items() if isinstance(feature, features.ClassLabel)]
    return masks[0] if len(masks) == 1 and not labels else None


def _is_mask(key, feature):
    from tensorflow_datasets import features

    if isinstance(feature, features.LabeledImage):
        return True
    return key in NAMES and len(feature.shape or ()) >= 2 and feature.shape[-1] in (1, None)


def read_masks(builder, mask):
    """All splits of a prepared `builder`: pictures as encoded bytes, the feature `mask` as class numbers."""
    from tensorflow_datasets import features

    found = builder.info.features
    pictures = [key for key, feature in found.items() if type(feature) is features.Image and key != mask]
    first = (builder.info.supervised_keys or (None,))[0]
    image = first if first in pictures else pictures[0] if len(pictures) == 1 else None
    if image is None:
        raise UserError(
            f"data tfds:{builder.name} has {len(pictures)} picture features beside the mask {mask!r} "
            f"({', '.join(found)}); a segmenter needs one"
        )
    sizes = builder.info.splits
    rows = {split: _rows(builder, split, image, mask) for split in sorted(sizes) if sizes[split].num_examples}
    images = {split_name(split): Encoded(np.array(pictures, object)) for split, (pictures, _) in rows.items()}
    masks = {split_name(split): values for split, (_, values) in rows.items()}
    names = getattr(found[mask], "names", None)
    labels, masks, pixels, names = from_masks(images, masks, tuple(names) if names else None)
    splits = {
        split: Samples(part, labels[split], numbered(len(part), split), masks=masks[split], pixels=pixels[split])
        for split, part in images.items()
    }
    format = f"TensorFlow Datasets {builder.info.full_name}, encoded, masks by the feature {mask!r}"
    return DataSet(splits, names, False, format, notes_of(splits, names))


def _rows(builder, split, image, mask):
    """([encoded picture], [mask]) of a split."""
    import tensorflow_datasets

    decoders = {image: tensorflow_datasets.decode.SkipDecoding()}
    wanted = tensorflow_datasets.decode.PartialDecoding({image: True, mask: True}, decoders)
    config = tensorflow_datasets.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    stream = builder.as_dataset(split=split, shuffle_files=False, read_config=config, decoders=wanted)
    pairs = [(row[image], row[mask]) for row in stream.as_numpy_iterator()]
    pictures, masks = zip(*pairs, strict=True)
    return list(pictures), list(masks)
