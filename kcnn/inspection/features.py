"""The feature vector: what the network knows about a picture before it decides."""

import keras

from kcnn.inspection.graph import features_of


def features(model):
    """A `keras.Model` on the inputs of `model` giving what its last layer with weights reads: (B, F) float32."""
    return keras.Model(model.input, keras.ops.cast(features_of(model), "float32"), name=f"{model.name}_features")
