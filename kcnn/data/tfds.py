"""TensorFlow Datasets: `tfds:NAME`, offline where TFDS_DATA_DIR already holds the set."""

import numpy as np

from kcnn.data.samples import Arrays, DataSet, Encoded, Samples, numbered
from kcnn.data.splits import split_name
from kcnn.data.tfds_masks import mask_feature, read_masks
from kcnn.data.tfds_objects import objects_feature, read_objects
from kcnn.errors import UserError

SMALL = 96 * 96 * 3  # values a picture: up to this, one array is cheaper than decoding in every epoch
BLOCK = 512  # pictures taken from the reader at a time
MAX_BYTES = 1 << 33  # of a set that is kept encoded in memory


def read(address, options, seed):
    """All splits of the set "tfds:NAME" (NAME may carry /config and :version), in memory.

    Small pictures of one size become one uint8 array; others stay encoded bytes. Raises UserError where the set is
    unknown, absent without network, too large, or has no single picture and class. Of a set with masks and classes its
    supervised keys say which is learned, or data.label_column the name of the mask's feature.
    """
    builder = _builder(address.partition(":")[2])
    mask = mask_feature(builder.info, options.label_column)
    if mask:
        _refuse_too_large(address, builder)
        return read_masks(builder, mask)
    image, label = _features(builder)
    names = tuple(builder.info.features[label].feature.names if _is_list(builder, label) else _names(builder, label))
    small = _is_small(builder.info.features[image])
    if not small:
        _refuse_too_large(address, builder)
    splits = {}
    for split in sorted(builder.info.splits):
        if builder.info.splits[split].num_examples:
            splits[split_name(split)] = _split(builder, split, image, label, small, len(names))
    kind = "in memory" if small else "encoded"
    return DataSet(splits, names, _is_list(builder, label), f"TensorFlow Datasets {builder.info.full_name}, {kind}")


def objects(address, options, seed, outlines):
    """The same with boxes, where the set has some; it has no outlines."""
    builder = _builder(address.partition(":")[2])
    feature = objects_feature(builder.info)
    if feature is None:
        return read(address, options, seed)
    _refuse_too_large(address, builder)
    return read_objects(builder, feature)


def _refuse_too_large(address, builder):
    if builder.info.dataset_size > MAX_BYTES:
        gigabytes = int(builder.info.dataset_size) >> 30
        raise UserError(f"data {address} has {gigabytes} GiB, at most 8 are kept in memory; write it to a folder")


def _builder(name):
    import tensorflow_datasets

    try:
        builder = tensorflow_datasets.builder(name)
    except tensorflow_datasets.core.DatasetNotFoundError:
        raise UserError(f"data tfds:{name} is not known to tensorflow-datasets and not in TFDS_DATA_DIR") from None
    except Exception as error:
        raise _absent(name, error) from error
    if not builder.data_path.exists():
        _require_network(name)
        try:
            builder.download_and_prepare()
        except Exception as error:
            raise _absent(name, error) from error
    return builder


def _require_network(name):
    """Refuse at once where there is no way out: the downloader alone would retry for minutes, leaving half folders."""
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        urlopen("https://storage.googleapis.com", timeout=5).close()
    except HTTPError:
        return
    except OSError as error:
        raise _absent(name, error) from error


def _absent(name, error):
    why = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    return UserError(f"data tfds:{name} is not in TFDS_DATA_DIR and cannot be fetched ({why}); prepare it once online")


def _features(builder):
    from tensorflow_datasets import features

    found = builder.info.features
    images = [key for key, feature in found.items() if type(feature) is features.Image]
    labels = [key for key in found if isinstance(found[key], features.ClassLabel) or _is_list(builder, key)]
    keys = (builder.info.supervised_keys or (None, None))[:2]
    image, label = (key if key in group else None for key, group in zip(keys, (images, labels), strict=True))
    image = image or (images[0] if len(images) == 1 else None)
    label = label or (labels[0] if len(labels) == 1 else None)
    if image is None or label is None:
        raise UserError(
            f"data tfds:{builder.name} has {len(images)} picture and {len(labels)} class features "
            f"({', '.join(found)}); a classifier needs one of each"
        )
    return image, label


def _is_list(builder, key):
    from tensorflow_datasets import features

    feature = builder.info.features[key]
    return isinstance(feature, features.Sequence) and isinstance(feature.feature, features.ClassLabel)


def _names(builder, label):
    return builder.info.features[label].names


def _is_small(feature):
    return None not in feature.shape and int(np.prod(feature.shape)) <= SMALL and feature.np_dtype == np.uint8


def _split(builder, split, image, label, small, num_classes):
    import tensorflow_datasets

    several = _is_list(builder, label)
    decoders = None if small else {image: tensorflow_datasets.decode.SkipDecoding()}
    wanted = tensorflow_datasets.decode.PartialDecoding({image: True, label: True}, decoders)
    config = tensorflow_datasets.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    stream = builder.as_dataset(split=split, shuffle_files=False, read_config=config, decoders=wanted)
    pictures, labels = [], []
    for row in stream.map(lambda row: _row(row, image, label, num_classes, several)).batch(BLOCK).prefetch(1):
        pictures.append(row[0].numpy())
        labels.append(row[1].numpy())
    pictures, labels = np.concatenate(pictures), np.concatenate(labels)
    return Samples(Arrays(pictures) if small else Encoded(pictures), labels, numbered(len(labels), split))


def _row(row, image, label, num_classes, several):
    """(picture, label), where several labels become zeros and ones (K,)."""
    import tensorflow as tf

    marks = tf.reduce_max(tf.one_hot(row[label], num_classes), 0) if several else tf.cast(row[label], tf.int32)
    return row[image], marks
