"""kcnn.fit on a user's own model: it learns, agrees with Keras, resumes exactly and takes Keras callbacks."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kcnn


def blobs(batch=16):
    rng = np.random.default_rng(0)
    y = np.arange(96) % 3
    x = rng.normal(size=(96, 4)).astype("float32") + 3 * np.eye(4, dtype="float32")[y]
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(batch)


def net():
    keras.utils.set_random_seed(1)
    body = [keras.Input((4,)), keras.layers.Dense(16, "relu"), keras.layers.Dropout(0.1)]
    return keras.Sequential([*body, keras.layers.Dense(3, "softmax")], name="own")


OPTIONS = {"loss": "sparse_categorical_crossentropy", "learning_rate": 0.02, "schedule": "cosine"}


def test_it_learns_and_leaves_a_run_folder(tmp_path):
    fitted = kcnn.fit(net(), blobs(), blobs(), runs=tmp_path, epochs=8, ema=0.9, **OPTIONS)
    assert fitted.state == "finished" and fitted.history[-1]["val_accuracy"] > 0.9
    assert {"recipe.toml", "status.json", "best.safetensors", "history.csv"} <= {p.name for p in fitted.path.iterdir()}


def test_one_plain_sgd_epoch_equals_keras_fit(tmp_path):
    plain, ours = net(), net()
    for model in (plain, ours):
        model.layers[1].rate = 0.0
    plain.compile(keras.optimizers.SGD(0.1), loss="sparse_categorical_crossentropy")
    plain.fit(blobs(), epochs=1, verbose=0, shuffle=False)
    settings = {"optimizer": "sgd", "momentum": 0.0, "learning_rate": 0.1, "schedule": "constant", "weight_decay": 0}
    kcnn.fit(ours, blobs(), loss="sparse_categorical_crossentropy", runs=tmp_path, epochs=1, **settings)
    for a, b in zip(plain.weights, ours.weights, strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-5, atol=1e-6)


def two_inputs(names=("left", "right")):
    inputs = [keras.Input((2,), name=name) for name in names]
    joined = keras.layers.Concatenate()([keras.layers.Dense(8, "relu", name=f"on_{i.name}")(i) for i in inputs])
    return keras.Model(inputs, keras.layers.Dense(3, "softmax")(joined), name="two")


@pytest.mark.parametrize("by_name", [False, True])
def test_models_of_several_inputs_are_trained_and_watched(tmp_path, by_name):
    def halves(x, y):
        return ({"right": x[:, 2:], "left": x[:, :2]} if by_name else (x[:, :2], x[:, 2:])), y

    fitted = kcnn.fit(two_inputs(), blobs().map(halves), runs=tmp_path, epochs=2, **OPTIONS)
    assert fitted.state == "finished" and len(fitted.history) == 2
    wide = two_inputs()
    wide.get_layer("on_right").kernel.assign(np.full((2, 8), 3e38))
    with pytest.raises(kcnn.UserError, match="the output of layer on_right is the first"):
        kcnn.fit(wide, blobs().map(halves), runs=tmp_path, epochs=1, **OPTIONS)


def test_logits_for_a_loss_of_probabilities_are_refused_before_a_run_is_begun(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)], name="ends_linear")
    told = r"ends_linear ends in logits .*SparseCategoricalCrossentropy\(from_logits=True\)"
    with pytest.raises(kcnn.UserError, match=told):
        kcnn.fit(model, blobs(), loss="sparse_categorical_crossentropy", runs=tmp_path)
    with pytest.raises(kcnn.UserError, match="is no Keras loss"):
        kcnn.fit(model, blobs(), loss="crossentropy", runs=tmp_path)
    assert not list(tmp_path.iterdir())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert kcnn.fit(model, blobs(), loss=loss, runs=tmp_path, epochs=1).state == "finished"


def test_labels_of_no_class_are_one_line(tmp_path):
    with pytest.raises(kcnn.UserError, match=r"step 1: the batch does not fit .* label value of .* outside the valid"):
        kcnn.fit(net(), blobs().map(lambda x, y: (x, y + 7)), runs=tmp_path, epochs=1, **OPTIONS)


class StopAfter(keras.callbacks.Callback):
    """A user's callback that leaves a stop file at its batch."""

    def __init__(self, batches, folder):
        super().__init__()
        self.left, self.folder = batches, folder

    def on_train_batch_end(self, batch, logs=None):
        assert "loss" in logs
        self.left -= 1
        if self.left == 0:
            (self.folder / "stop").touch()


def test_stopped_in_mid_epoch_it_resumes_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("kcnn.training.interrupts.POLL_SECONDS", -1)
    whole = kcnn.fit(net(), blobs(), blobs(), runs=tmp_path, name="whole", epochs=3, ema=0.9, **OPTIONS)
    stop = StopAfter(8, tmp_path / "parts")
    parts = {"runs": tmp_path, "name": "parts", "epochs": 3, "ema": 0.9} | OPTIONS
    assert kcnn.fit(net(), blobs(), blobs(), callbacks=[stop], **parts).state == "stopped"
    rest = kcnn.fit(net(), blobs(), blobs(), resume=True, **parts)
    assert rest.state == "finished"
    timed = ("seconds", "images_per_second", "data_wait")
    for a, b in zip(whole.history, rest.history, strict=True):
        assert {k: v for k, v in a.items() if k not in timed} == {k: v for k, v in b.items() if k not in timed}
    for a, b in zip(whole.model.weights, rest.model.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))
    with pytest.raises(kcnn.UserError, match="train.epochs 3 → 9"):
        kcnn.fit(net(), blobs(), runs=tmp_path, name="parts", epochs=9, resume=True, **OPTIONS)


def test_early_stopping_and_keras_callbacks_end_a_training(tmp_path):
    settings = OPTIONS | {"learning_rate": 1e-9, "early_stopping": 2}
    assert len(kcnn.fit(net(), blobs(), blobs(), runs=tmp_path, epochs=50, **settings).history) <= 6
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(stop.model, "stop_training", True))
    assert len(kcnn.fit(net(), blobs(), runs=tmp_path, epochs=50, callbacks=[stop], **OPTIONS).history) == 1


def test_a_loss_that_is_no_number_ends_with_advice(tmp_path):
    steep = {"optimizer": "sgd", "learning_rate": 1e30, "schedule": "constant"}
    with pytest.raises(kcnn.UserError, match="lower train.learning_rate"):
        kcnn.fit(net(), blobs(), runs=tmp_path, epochs=3, **(OPTIONS | steep))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": None}, "fit needs loss="),
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"resume": True}, "needs the name"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"optimizer": "adamax"}, "unknown optimizer 'adamax'"),
        ({"loss": "crossentropy"}, "'crossentropy' is no Keras loss"),
        ({"validation": (1, 2)}, "validation is a tuple, not a tf.data.Dataset"),
        ({"validation": blobs().take(0)}, "validation holds no batch"),
        ({"validation": blobs().map(lambda x, y: x)}, r"must give \(x, y\)"),
    ],
)
def test_mistakes_are_refused(tmp_path, options, message):
    with pytest.raises(kcnn.UserError, match=message):
        kcnn.fit(net(), blobs(), runs=tmp_path, **(OPTIONS | options))
    with pytest.raises(kcnn.UserError, match="give steps_per_epoch"):
        kcnn.fit(net(), blobs().repeat(), runs=tmp_path, **OPTIONS)
