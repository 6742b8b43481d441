"""Does every head for masks build on what it is given, learn, keep its weights and answer what a person wants?"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import accuracy_score, jaccard_score

from kcnn.architectures import ARCHITECTURES
from kcnn.errors import UserError
from kcnn.heads import HEADS, UNet
from kcnn.heads.masks import MaskHead
from kcnn.layers import FusedBatchNormalization
from kcnn.layers.normalization import FrozenBatchNormalization
from kcnn.masks import IGNORE
from kcnn.models import build_levels, build_model, head_of, levels, main_part
from kcnn.training import Engine, load_weights, save_weights
from tests.unfilled import without_weights

K = 3
MASKS = [name for name in HEADS if HEADS[name].task == "masks"]
OPTIONS = [(name, {}) for name in MASKS]
OPTIONS += [("unet", {"attention": True, "deep_supervision": True}), ("deeplab", {"output_stride": 8})]
OPTIONS += [("fcn", {"stride": stride}) for stride in (32, 16)]
OPTIONS += [("unet", {"stride": 2}), ("unet", {"stride": 4, "deep_supervision": True})]
TOYS = [name for name in ARCHITECTURES if name.endswith("_toy")]
SHAPES = {1: (71, 2), 2: (75, 66, 3), 3: (33, 40, 35, 1)}
SQUARE = {"unet": {"filters": (16, 16, 8, 8, 8)}, "fcn": {"filters": 16}, "deeplab": {"filters": 16, "low_filters": 8}}


def small(name, **options):
    """A head record with few filters."""
    return head_of(name, num_classes=K, **SQUARE.get(name, {}), **options)


def batch_of(rng, shape, size=4):
    """Bright things of two kinds on a dark ground, with their masks; some places are not judged."""
    mask = np.zeros((size, *shape[:-1]), "uint8")
    for i, one in enumerate(mask):
        for thing in (1, 2):
            start = [rng.integers(0, side // 2) for side in one.shape]
            one[tuple(slice(s, s + side // 3) for s, side in zip(start, one.shape, strict=True))] = thing
        one[(0,) * one.ndim] = IGNORE if i % 2 else 0
    image = 90.0 * (mask % IGNORE)[..., None] + rng.uniform(0, 40, (size, *shape))
    return {"image": tf.constant(image, tf.float32), "mask": tf.constant(mask), "weight": tf.ones(size)}


def stepped(model, head, batch, optimizer):
    """The loss before a step of `optimizer` on the main output and, by their weights, the auxiliary ones."""
    with tf.GradientTape() as tape:
        outputs = model(batch["image"], training=True)
        parts = outputs if isinstance(outputs, dict) else {"main": outputs}
        targets = head.targets(batch)
        sums = {name: head.loss(targets, output) for name, output in parts.items()}
        shares = {"main": 1.0} | model.auxiliary_weights
        loss = sum(
            shares[name] * tf.reduce_sum(total) / tf.reduce_sum(weight) for name, (total, weight) in sums.items()
        )
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        assert gradient is not None and np.isfinite(gradient).all(), variable.path
    optimizer.apply(gradients, model.trainable_variables)
    return float(loss)


def share_of_right(head, model, batch):
    found = head.metrics(head.targets(batch), main_part(model)(batch["image"], training=True))
    hits, unions = (np.array([np.sum(found[f"mean_iou/{c}"][i]) for c in range(K)]) for i in (0, 1))
    return np.mean(hits[unions > 0] / unions[unions > 0])


def test_there_are_heads_for_masks():
    assert len(MASKS) >= 3 and HEADS["classifier"].task == "labels"


@pytest.mark.parametrize("name, options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", [(75, 90, 3), (None, None, 3)], ids=str)
def test_logits_have_the_size_of_the_picture(name, options, shape):
    model = build_model("resnet_toy", small(name, **options), input_shape=shape)
    assert model.output.shape == (None, *shape[:-1], K) and model.output.dtype == "float32"
    assert model.output is model.get_layer("logits").output and {"c2", "c3"} <= set(levels(model))
    for size in [(70, 81), (96, 64)] if None in shape else [shape[:-1]]:
        assert model(np.zeros((2, *size, 3), "float32")).shape == (2, *size, K)


@pytest.mark.parametrize("name, options", OPTIONS, ids=str)
def test_steps_lower_the_loss(name, options, rng):
    keras.utils.set_random_seed(0)
    batch, head = batch_of(rng, (64, 80, 3)), small(name, objective="cross_entropy + dice", **options)
    model = build_model("resnet_toy", head, input_shape=(64, 80, 3), auxiliary=True)
    optimizer = keras.optimizers.Adam(0.01)
    losses = [stepped(model, head, batch, optimizer) for _ in range(4)]
    assert np.isfinite(losses).all() and losses[-1] < 0.9 * losses[0], losses


@pytest.mark.parametrize("name", MASKS)
def test_weights_go_to_a_file_and_into_a_fresh_model(name, rng, tmp_path):
    model, twin = (build_model("resnet_toy", small(name), input_shape=(64, 66, 3)) for _ in range(2))
    save_weights(model, tmp_path / "weights.safetensors")
    load_weights(twin, tmp_path / "weights.safetensors")
    x = rng.uniform(0, 255, (2, 64, 66, 3)).astype("float32")
    np.testing.assert_array_equal(model(x), twin(x))
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(model(x), keras.saving.load_model(tmp_path / "model.keras")(x))


@pytest.mark.parametrize("name", MASKS)
def test_low_precision_keeps_logits_float32(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_model("resnet_toy", small(name), input_shape=(64, 64, 3))
        answer = model(np.zeros((1, 64, 64, 3), "float32"))
    finally:
        keras.config.set_dtype_policy("float32")
    assert answer.dtype == "float32" and model.get_layer(max(levels(model).items())[1]).output.dtype == "bfloat16"


def test_decode(rng):
    logits = rng.normal(0, 2, (2, 5, 6, K)).astype("float32")
    found = MaskHead(K).decode(logits)
    e = np.exp(logits)
    np.testing.assert_allclose(found["scores"], e / e.sum(-1, keepdims=True), rtol=1e-5)
    np.testing.assert_array_equal(found["mask"], logits.argmax(-1))
    np.testing.assert_allclose(found["score"], np.max(found["scores"], -1))
    assert found["mask"].dtype == "uint8" and found["score"].shape == (2, 5, 6)


def test_metrics_against_scikit_learn(rng):
    logits = rng.normal(size=(5, 7, 6, K)).astype("float32")
    mask = rng.integers(0, K, (5, 7, 6)).astype("uint8")
    mask[rng.uniform(size=mask.shape) < 0.2], mask[2] = IGNORE, IGNORE
    head, weight = MaskHead(K), np.float32([1, 1, 1, 1, 0])
    found = head.metrics(head.targets({"mask": mask, "weight": weight}), logits)
    judged = (mask != IGNORE) & (weight > 0)[:, None, None]
    true, said = mask[judged], logits.argmax(-1)[judged]
    assert set(found) == {"pixel_accuracy", *(f"mean_iou/{c}" for c in range(K))}
    rates = {name: np.sum(part) / np.sum(whole) for name, (part, whole) in found.items()}
    assert rates["pixel_accuracy"] == pytest.approx(accuracy_score(true, said))
    expected = jaccard_score(true, said, average=None)
    assert [rates[f"mean_iou/{c}"] for c in range(K)] == pytest.approx(expected)
    assert head.main_metric == "mean_iou"


def test_targets_take_any_mask_and_need_no_weight():
    found = MaskHead(K).targets({"mask": np.uint8([[0, 2, IGNORE, 3]])})
    np.testing.assert_array_equal(found["mask"], [[0, 2, 0, 0]])
    np.testing.assert_array_equal(found["valid"], [[1, 1, 0, 0]])
    np.testing.assert_array_equal(found["weight"], [1])


def test_deep_supervision_is_for_training_alone(rng):
    head, shape = small("unet", deep_supervision=True), (64, 75, 3)
    model = build_model("resnet_toy", head, input_shape=shape, auxiliary=True)
    assert model.auxiliary_weights == {"aux_16": 1 / 16, "aux_8": 1 / 8, "aux_4": 1 / 4, "aux_2": 1 / 2}
    x = rng.uniform(0, 255, (2, *shape)).astype("float32")
    outputs = model(x)
    assert {output.shape for output in outputs.values()} == {(2, 64, 75, K)}
    np.testing.assert_array_equal(main_part(model)(x), outputs["main"])
    plain = build_model("resnet_toy", head, input_shape=shape)
    without = build_model("resnet_toy", small("unet"), input_shape=shape)
    names = [[v.path for v in one.variables] for one in (main_part(model), plain, without)]
    assert names[0] == names[1] == names[2] and plain.auxiliary_weights == {}


def test_attention_gates_weigh_the_encoders_maps(rng):
    model = build_model("resnet_toy", small("unet", attention=True), input_shape=(70, 64, 3))
    gates = [layer.name for layer in model.layers if layer.name.endswith("gate_open")]
    assert gates == [f"up{n}_gate_open" for n in (4, 3, 2, 1)]
    gate = keras.Model(model.input, model.get_layer("up3_gate_enlarge").output)
    found = gate(rng.uniform(0, 255, (1, 70, 64, 3)))
    assert found.shape == (1, 9, 8, 1) and np.all((np.array(found) > 0) & (np.array(found) < 1))


@pytest.mark.parametrize("name", MASKS)
def test_norms_of_the_head_learn_where_those_of_the_family_keep_their_statistics(name):
    style, options = {"norm": "frozen_batch"}, {"output_stride": 32} if name == "deeplab" else {}
    model = build_model("resnet_toy", small(name, **options), input_shape=(64, 64, 3), style=style)
    body = {layer.name for layer in build_levels("resnet_toy", input_shape=(64, 64, 3)).layers}
    kinds = {layer.name: type(layer) for layer in model.layers if "Normalization" in type(layer).__name__}
    assert {kind for name, kind in kinds.items() if name in body} == {FrozenBatchNormalization}
    assert {kind for name, kind in kinds.items() if name not in body} == {FusedBatchNormalization}
    model = build_model(
        "resnet_toy", small(name, **options), input_shape=(64, 64, 3), style=style | {"head_norm": "group"}
    )
    kinds = {layer.name: type(layer) for layer in model.layers if "Normalization" in type(layer).__name__}
    assert {kind for name, kind in kinds.items() if name in body} == {FrozenBatchNormalization}
    assert {kind for name, kind in kinds.items() if name not in body} == {keras.layers.GroupNormalization}


def test_last_filters_hold_for_further_steps():
    model = without_weights("resnet_toy", head=UNet(K, filters=(12, 6)), input_shape=(64, 64, 3))
    widths = [model.get_layer(f"up{n}_second").output.shape[-1] for n in (4, 3, 2, 1, 0)]
    assert widths == [12, 6, 6, 6, 6]


def test_fcn_starts_as_the_coarser_net(rng):
    keras.utils.set_random_seed(0)
    model = build_model("resnet_toy", small("fcn", stride=8), input_shape=(64, 64, 3))
    x = rng.uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    layers = {layer.name for layer in model.layers}
    assert {"score_c5", "score_c4", "score_c3"} <= layers and "score_c2" not in layers
    assert np.abs(model(x)).max() > 0 and not np.any(model.get_layer("score_c3").kernel)


def test_deeplab_sees_as_far_at_any_output_stride():
    for stride, rates in ((8, (12, 24, 36)), (16, (6, 12, 18)), (32, (3, 6, 9))):
        model = without_weights("resnet_toy", head=small("deeplab", output_stride=stride), input_shape=(96, 96, 3))
        for name, rate in zip((6, 12, 18), rates, strict=True):
            layer = model.get_layer(f"pyramid_{name}_depthwise")
            assert layer.dilation_rate == (rate, rate) and layer.output.shape[1] == 96 // stride


@pytest.mark.parametrize("name", TOYS)
def test_every_family_has_a_unet_for_open_sides_or_says_why_not(name, rng):
    try:
        check_step(name, "unet", (80, 97, 3), rng, (None, None, 3))
    except UserError as error:
        assert name == "nasnet_toy" and "state every side" in str(error) and "\n" not in str(error)
        check_step(name, "unet", (80, 97, 3), rng)


@pytest.mark.slow
@pytest.mark.parametrize("head", MASKS)
@pytest.mark.parametrize("name, rank", [(name, rank) for name in TOYS for rank in ARCHITECTURES[name].ranks])
def test_every_family_has_every_head_or_says_why_not(name, rank, head, rng):
    try:
        check_step(name, head, SHAPES[rank], rng)
    except UserError as error:
        assert "\n" not in str(error) and ("has the levels" in str(error) or "cannot dilate" in str(error))


def check_step(name, head, shape, rng, declared=None):
    """A step on all that leads to logits of the picture's size; `declared`: what the model is told of its shape."""
    head, batch, declared = small(head), batch_of(rng, shape, 2), declared or shape
    model = build_model(name, head, input_shape=declared)
    assert model.output.shape == (None, *declared[:-1], K)
    assert np.isfinite(stepped(model, head, batch, keras.optimizers.SGD(0.01)))


@pytest.mark.parametrize("shape", [(75, 2), (21, 18, 23, 1)], ids=["signals", "volumes"])
def test_a_unet_learns_signals_and_volumes(shape, rng):
    keras.utils.set_random_seed(0)
    batch, head = batch_of(rng, shape), small("unet", objective="cross_entropy + dice")
    model = build_model("resnet_toy", head, input_shape=shape, overrides={"depths": (1, 1)}, stem="small")
    optimizer = keras.optimizers.Adam(0.02)
    optimizer.build(model.trainable_variables)
    engine = Engine(model, head, optimizer)
    losses = [float(np.divide(*engine.train_step(batch, 0.02, 0.0)[0][0])) for _ in range(30)]
    assert losses[-1] < 0.3 * losses[0] and share_of_right(head, model, batch) > 0.8, losses[::5]


@pytest.mark.parametrize(
    "head, options, words",
    [
        ("unet", {"filters": []}, r"filters is \(\): it must be a list of whole numbers above 0"),
        ("unet", {"filters": [8, 0]}, "it must be a list of whole numbers above 0"),
        ("fcn", {"stride": 4}, "stride is 4: FCN has 32, 16 and 8"),
        ("fcn", {"filters": 0}, "filters is 0: it must be a whole number of 1 or more"),
        ("deeplab", {"output_stride": 4}, "output_stride is 4: DeepLab has 8 and 16, or 32"),
        ("deeplab", {"low_filters": 1.5}, "low_filters is 1.5: it must be a whole number of 1 or more"),
        ("deeplab", {"rates": [4, 4]}, r"rates is \(4, 4\): it must be a list of whole numbers above 0, none twice"),
        ("deeplab", {"rates": [0, 4]}, "rates is"),
        ("deeplab", {"rates": []}, r"rates is \(\): it must be a list"),
        ("deeplab", {"rates": 6}, "rates is 6: it must be a list of whole numbers above 0"),
        ("unet", {"filters": 64}, "filters is 64: it must be a list of whole numbers above 0, one a step up"),
        ("unet", {"stride": 3}, "stride is 3: a U-Net ends at 1, 2 or 4"),
        ("unet", {"attention": "no"}, "attention is 'no': it must be true or false"),
        ("unet", {"multi_label": True}, "unknown option of the head unet 'multi_label'"),
    ],
    ids=str,
)
def test_mistakes_are_refused(head, options, words):
    with pytest.raises(UserError, match=words) as caught:
        build_model("resnet_toy", head, input_shape=(64, 64, 3), num_classes=K, **options)
    assert "\n" not in str(caught.value)


def test_networks_without_the_levels_or_dilation_are_refused():
    with pytest.raises(UserError, match="has the levels c0, c1, c2, c3, not c4, c5, which the head FCN needs"):
        build_model("resnet_toy", small("fcn"), input_shape=(32, 32, 3))
    with pytest.raises(UserError, match="vgg_toy cannot dilate; set it to 32, or choose an architecture that can"):
        build_model("vgg_toy", small("deeplab"), input_shape=(64, 64, 3))
    assert build_model("vgg_toy", small("deeplab", output_stride=32), input_shape=(64, 64, 3)).output.shape[1] == 64
