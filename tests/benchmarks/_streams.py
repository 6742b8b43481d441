"""A tf.data side of a benchmark: batches drawn one after another, as fast as they come.

Its wish: {"kind": "kcnn", "augment": {…}} with "values", a .npy, or "files", [JPEG]; or {"kind": "keras", "layer": an
expression in keras.layers, "values"}; and "batch", "side".
"""

import numpy as np

from tests.benchmarks import _serving


def prepare(wish):
    """Draw so many batches of what is wished for."""
    import tensorflow as tf

    drawn = iter({"kcnn": kcnn_stream, "keras": keras_stream}[wish["kind"]](wish))

    def run(batches):
        for _ in range(batches):
            next(drawn)

    return run, f"TensorFlow {tf.__version__}"


def kcnn_stream(wish):
    """Our training stream."""
    from kcnn import data
    from kcnn.data.samples import Arrays, Samples, numbered
    from kcnn.recipe import Augment

    if "files" in wish:
        samples = of_files(wish["files"])
    else:
        count = wish["batch"]
        samples = Samples(Arrays(np.load(wish["values"])), np.zeros(count, np.int32), numbered(count))
    frame, augment = (wish["side"], wish["side"], 3), Augment(**wish["augment"])
    return data.batches(samples, frame, wish["batch"], training=True, num_classes=2, augment=augment)


def of_files(paths):
    """Samples of JPEGs, in two classes by turns."""
    from kcnn import data
    from kcnn.data.samples import DataSet, Files, Samples, as_strings, numbered
    from kcnn.recipe import Data

    samples = Samples(Files(as_strings(paths)), np.arange(len(paths), dtype=np.int32) % 2, numbered(len(paths)))
    return data.check(DataSet({"train": samples}, ("a", "b"), False, "files"), Data()).splits["train"]


def keras_stream(wish):
    """A Keras layer, mapped in parallel over batches."""
    import keras
    import tensorflow as tf

    layer = eval(wish["layer"], vars(keras.layers))
    stream = tf.data.Dataset.from_tensors(np.load(wish["values"])).cache().repeat()
    return stream.map(lambda x: layer(x, training=True), tf.data.AUTOTUNE).prefetch(2)


if __name__ == "__main__":
    _serving.serve(prepare)
