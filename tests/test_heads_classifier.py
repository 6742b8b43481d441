"""Does the classifier compute the losses and metrics it names, and answer what a person wants?"""

import keras
import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score

from kcnn.architectures import ARCHITECTURES
from kcnn.errors import UserError
from kcnn.heads import HEADS, Classifier
from kcnn.models import build_model, head_of

K = 7


@pytest.fixture
def answers(rng):
    """(logits (40, K), labels (40,), several labels (40, K), weights (40,))."""
    logits = rng.normal(0, 2, (40, K)).astype("float32")
    several = (rng.uniform(size=(40, K)) < 0.3).astype("float32")
    return logits, rng.integers(0, K, 40), several, rng.uniform(0.1, 3, 40).astype("float32")


def mean_loss(head, batch, logits):
    total, weight = head.loss(head.targets(batch), logits)
    assert total.shape == weight.shape == (len(logits),)
    return float(np.sum(total) / np.sum(weight))


def softmax(logits):
    e = np.exp(np.float64(logits) - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_heads_are_registered():
    assert HEADS and HEADS["classifier"] is Classifier


def test_cross_entropy_with_sample_weights(answers):
    logits, labels, _, weights = answers
    batch = {"label": labels.astype("int32"), "weight": weights}
    expected = log_loss(labels, softmax(logits), sample_weight=weights, labels=range(K))
    assert mean_loss(Classifier(K), batch, logits) == pytest.approx(expected, rel=1e-5)
    del batch["weight"]
    expected = log_loss(labels, softmax(logits), labels=range(K))
    assert mean_loss(Classifier(K), batch, logits) == pytest.approx(expected, rel=1e-5)


def test_soft_labels_equal_the_same_hard_ones(answers):
    logits, labels, _, weights = answers
    hard = {"label": labels.astype("int32"), "weight": weights}
    soft = {"label": np.eye(K, dtype="float32")[labels], "weight": weights}
    head = Classifier(K, class_weights=tuple(range(1, K + 1)), label_smoothing=0.1)
    assert mean_loss(head, hard, logits) == pytest.approx(mean_loss(head, soft, logits), rel=1e-6)


def test_label_smoothing(answers):
    logits, labels, _, _ = answers
    smooth = np.eye(K)[labels] * 0.8 + 0.2 / K
    expected = -(smooth * np.log(softmax(logits))).sum(-1).mean()
    head = Classifier(K, label_smoothing=0.2)
    assert mean_loss(head, {"label": labels.astype("int32")}, logits) == pytest.approx(expected, rel=1e-5)


def test_class_weights_multiply_and_divide(answers):
    logits, labels, _, weights = answers
    class_weights = np.linspace(0.5, 3, K)
    expected = log_loss(labels, softmax(logits), sample_weight=weights * class_weights[labels], labels=range(K))
    head = Classifier(K, class_weights=tuple(class_weights))
    assert mean_loss(head, {"label": labels.astype("int32"), "weight": weights}, logits) == pytest.approx(expected)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss(answers, gamma):
    logits, labels, several, _ = answers
    expected = keras.losses.CategoricalFocalCrossentropy(1.0, gamma, from_logits=True)(np.eye(K)[labels], logits)
    head = Classifier(K, focal_gamma=gamma)
    assert mean_loss(head, {"label": labels.astype("int32")}, logits) == pytest.approx(float(expected), rel=1e-4)
    expected = keras.losses.BinaryFocalCrossentropy(gamma=gamma, from_logits=True)(several, logits)
    head = Classifier(K, multi_label=True, focal_gamma=gamma)
    assert mean_loss(head, {"label": several}, logits) == pytest.approx(float(expected), rel=1e-4)


def test_several_labels(answers):
    logits, _, several, weights = answers
    chance = 1 / (1 + np.exp(-np.float64(logits)))
    each = -(several * np.log(chance) + (1 - several) * np.log(1 - chance))
    batch = {"label": several, "weight": weights}
    head = Classifier(K, multi_label=True)
    assert mean_loss(head, batch, logits) == pytest.approx(np.average(each.mean(-1), weights=weights), rel=1e-5)
    class_weights = np.arange(1.0, K + 1)
    expected = np.average(np.average(each, axis=-1, weights=class_weights), weights=weights)
    head = Classifier(K, multi_label=True, class_weights=tuple(class_weights))
    assert mean_loss(head, batch, logits) == pytest.approx(expected, rel=1e-5)


def test_metrics_against_scikit_learn(answers):
    logits, labels, several, weights = answers
    head = Classifier(K, class_weights=(5.0,) * K)
    found = head.metrics(head.targets({"label": labels.astype("int32"), "weight": weights}), logits)
    expected = {
        "accuracy": accuracy_score(labels, logits.argmax(-1), sample_weight=weights),
        "top5": top_k_accuracy_score(labels, logits, k=5, sample_weight=weights, labels=range(K)),
    }
    assert {n: np.sum(s) / np.sum(w) for n, (s, w) in found.items()} == pytest.approx(expected, rel=1e-5)
    head = Classifier(K, multi_label=True)
    found = head.metrics(head.targets({"label": several, "weight": weights}), logits)
    expected = {
        "accuracy": np.average(((logits > 0) == several).mean(-1), weights=weights),
        "exact_match": accuracy_score(several, logits > 0, sample_weight=weights),
    }
    assert {n: np.sum(s) / np.sum(w) for n, (s, w) in found.items()} == pytest.approx(expected, rel=1e-5)
    assert set(Classifier(5).metrics(Classifier(5).targets({"label": labels % 5}), logits[:, :5])) == {"accuracy"}
    assert head.main_metric in found


@pytest.mark.parametrize("head", [Classifier(K), Classifier(K, multi_label=True), Classifier(K, focal_gamma=0.5)])
def test_padding_and_extreme_logits_are_harmless(head):
    logits = np.array([[1e4, -1e4, *[0] * (K - 2)], [-1e4, 1e4, *[0] * (K - 2)]], "float32")
    label = np.eye(K, dtype="float32")[[0, 1]] if head.multi_label else np.array([0, -1], "int32")
    total, weight = head.loss(head.targets({"label": label, "weight": np.array([1, 0], "float32")}), logits)
    assert np.isfinite(total).all() and total[1] == 0 and weight[1] == 0


def test_decode(answers):
    logits = answers[0]
    for head, scores in (
        (Classifier(K), softmax(logits)),
        (Classifier(K, multi_label=True), 1 / (1 + np.exp(-logits))),
    ):
        found = head.decode(logits)
        np.testing.assert_allclose(found["scores"], scores, rtol=1e-5)
        np.testing.assert_array_equal(found["label"], logits.argmax(-1))
        np.testing.assert_allclose(found["score"], scores.max(-1), rtol=1e-5)
        assert found["label"].dtype == "int32" and found["scores"].dtype == found["score"].dtype == "float32"


@pytest.mark.parametrize("top", ["pooled", "own"])
@pytest.mark.parametrize("name", ["resnet_toy", "vgg_toy", "simple_cnn_toy"])
def test_the_model_ends_in_logits(name, top):
    model = build_model(name, input_shape=(32, 32, 3), num_classes=K, top=top, dropout=0.3)
    names = [layer.name for layer in model.layers]
    assert names[-1] == "logits" and "head_dropout" in names and model.output.dtype == "float32"
    assert ("pool" in names) == (top == "pooled" or ARCHITECTURES[name].own_top is None)


@pytest.mark.parametrize("multi_label", [False, True])
def test_overfits_eight_samples(multi_label, rng):
    keras.utils.set_random_seed(0)
    x = rng.uniform(0, 255, (8, 16, 16, 3)).astype("float32")
    label = rng.integers(0, 2, (8, 3)).astype("float32") if multi_label else np.arange(8, dtype="int32") % 3
    head = head_of("classifier", num_classes=3, multi_label=multi_label)
    model = build_model("simple_cnn_toy", head, input_shape=(16, 16, 3), overrides={"dropout": 0.0})
    targets = head.targets({"label": label})

    def loss(_, outputs):
        total, weight = head.loss(targets, outputs)
        return keras.ops.sum(total) / keras.ops.sum(weight)

    model.compile(keras.optimizers.Adam(0.01), loss)
    history = model.fit(x, np.zeros(8), batch_size=8, epochs=40, shuffle=False, verbose=0).history["loss"]
    found = head.metrics(targets, model(x, training=True))["exact_match" if multi_label else "accuracy"]
    assert history[-1] < 0.2 * history[0] and np.mean(found[0]) == 1


@pytest.mark.parametrize(
    "options, words",
    [
        ({}, "needs num_classes"),
        ({"num_classes": 1}, "at least 2"),
        ({"num_classes": 3, "class_weights": [1, 2]}, "class_weights has 2 values for 3 classes"),
        ({"num_classes": 3, "focal": 2}, "did you mean 'focal_gamma'"),
        ({"num_classes": 3, "top": "mine"}, "unknown top 'mine'"),
        ({"num_classes": 3, "label_smoothing": 1}, "below 1"),
        ({"num_classes": 3, "focal_gamma": -1}, "focal_gamma is -1"),
    ],
    ids=str,
)
def test_mistakes_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        head_of("classifier", **options)
