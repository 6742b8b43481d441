"""Mosaic and copy-paste: against slow, plain NumPy, pixel by pixel and object by object."""

import numpy as np
import pytest
import tensorflow as tf

from kcnn import data
from kcnn.data import draws as drawing
from kcnn.data.copy_paste import CHANCE, HIDDEN, paste
from kcnn.data.mixers import mix
from kcnn.data.mosaic import CENTRE, join
from kcnn.errors import UserError
from kcnn.recipe import Augment, Data

COUNT, PLACES, HEIGHT, WIDTH, CLASSES = 12, 4, 20, 16, 5


def scenes(rng, dtype=np.uint8):
    """A batch of `COUNT` random pictures with boxes, masks within them, a mask of classes and two keypoints a box."""
    low = rng.integers(0, [WIDTH - 4, HEIGHT - 4], (COUNT, PLACES, 2))
    high = np.minimum(low + rng.integers(3, 12, (COUNT, PLACES, 2)), [WIDTH, HEIGHT])
    number = rng.integers(0, PLACES + 1, COUNT)
    there = np.arange(PLACES) < number[:, None]
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inside = [(c >= low[..., i, None, None]) & (c < high[..., i, None, None]) for i, c in enumerate((x, y))]
    masks = inside[0] & inside[1] & (rng.random((COUNT, PLACES, HEIGHT, WIDTH)) < 0.8)
    points = low[:, :, None] + rng.random((COUNT, PLACES, 2, 2)) * (high - low)[:, :, None]
    seen = rng.integers(0, 3, (COUNT, PLACES, 2, 1))
    keypoints = np.concatenate([points, seen], -1) * (seen > 0)
    classes = np.where(there, rng.integers(0, CLASSES, (COUNT, PLACES)), -1)
    return {
        "image": rng.integers(0, 256, (COUNT, HEIGHT, WIDTH, 3)).astype(dtype),
        "label": rng.random((COUNT, CLASSES)).astype(np.float32),
        "weight": rng.random(COUNT).astype(np.float32),
        "mask": rng.integers(0, CLASSES, (COUNT, HEIGHT, WIDTH)).astype(np.int32),
        "boxes": (np.concatenate([low, high], -1) * there[..., None]).astype(np.float32),
        "classes": classes.astype(np.int32),
        "masks": (masks & there[..., None, None]).astype(np.uint8),
        "keypoints": (keypoints * there[..., None, None]).astype(np.float32),
    }


@pytest.mark.parametrize("probability", [0.4, 1.0])
def test_classes_are_pasted_place_by_place(rng, draws, probability):
    batch = {key: scenes(rng)[key] for key in ("image", "mask", "weight")}
    batch["mask"] = rng.choice([0, 1, 2, 254, 255], batch["mask"].shape).astype(np.uint8)
    made = {key: np.asarray(value) for key, value in paste(tensors(batch), probability, draws).items()}
    gate, which = np.asarray(drawing.slot(draws, "paste")), np.asarray(drawing.many(draws, "paste_which", 256))
    pasted = 0
    for i in range(COUNT):
        image, mask, other = batch["image"][i].copy(), batch["mask"][i].copy(), (i + 1) % COUNT
        for y, x in np.ndindex(mask.shape):
            kind = batch["mask"][other, y, x]
            if gate[i] < probability and 0 < kind < 255 and which[i, kind] < CHANCE:
                image[y, x], mask[y, x] = batch["image"][other, y, x], kind
                pasted += 1
        np.testing.assert_array_equal(made["image"][i], image)
        np.testing.assert_array_equal(made["mask"][i], mask)
    np.testing.assert_array_equal(made["weight"], batch["weight"])
    assert 0 < pasted < batch["mask"].size and (made["mask"] == batch["mask"])[gate >= probability].all()


@pytest.fixture
def draws():
    return drawing.uniform(5, tf.zeros(COUNT, tf.int64), tf.range(COUNT, dtype=tf.int64))


def tensors(batch):
    return {key: tf.constant(value) for key, value in batch.items()}


def objects(batch, i):
    """The objects of picture `i`: [{"boxes", "classes", "masks", "keypoints"}]."""
    places = np.flatnonzero(np.asarray(batch["classes"])[i] >= 0)
    return [{k: np.asarray(batch[k])[i, n].copy() for k in ("boxes", "classes", "masks", "keypoints")} for n in places]


def assert_same_objects(made, i, expected):
    found = objects(made, i)
    assert len(found) == len(expected)
    assert (np.asarray(made["classes"])[i, : len(found)] >= 0).all(), "padding comes last"
    for one, other in zip(found, expected, strict=True):
        for key in one:
            np.testing.assert_allclose(one[key], other[key], atol=1e-5, err_msg=key)


def plain_mosaic(batch, i, y0, x0):
    """Picture `i` of the mosaics: (image, label, weight, mask, objects), with the point at row y0, column x0."""
    partners = [(i + q) % COUNT for q in range(4)]
    image, mask, owner = (
        np.zeros_like(batch["image"][0]),
        np.zeros_like(batch["mask"][0]),
        np.zeros((HEIGHT, WIDTH), int),
    )
    for y in range(HEIGHT):
        for x in range(WIDTH):
            q = 2 * (y >= y0) + (x >= x0)
            owner[y, x] = q
            there = (y - y0 if y >= y0 else y + HEIGHT - y0, x - x0 if x >= x0 else x + WIDTH - x0)
            image[y, x], mask[y, x] = batch["image"][partners[q]][there], batch["mask"][partners[q]][there]
    share = np.bincount(owner.ravel(), minlength=4) / owner.size
    weight = sum(s * batch["weight"][p] for s, p in zip(share, partners, strict=True))
    label = sum(s * batch["weight"][p] * batch["label"][p] for s, p in zip(share, partners, strict=True)) / weight
    found = []
    for q, partner in enumerate(partners):
        dx, dy = x0 - (0 if q % 2 else WIDTH), y0 - (0 if q // 2 else HEIGHT)
        limits = (x0, WIDTH) if q % 2 else (0, x0), (y0, HEIGHT) if q // 2 else (0, y0)
        for one in objects(batch, partner):
            before = np.prod(one["boxes"][2:] - one["boxes"][:2])
            one["boxes"] = one["boxes"] + [dx, dy, dx, dy]
            one["boxes"][0::2] = np.clip(one["boxes"][0::2], *limits[0])
            one["boxes"][1::2] = np.clip(one["boxes"][1::2], *limits[1])
            whole, one["masks"] = one["masks"], np.zeros_like(one["masks"])
            for y, x in np.argwhere(whole):
                if limits[0][0] <= x + dx < limits[0][1] and limits[1][0] <= y + dy < limits[1][1]:
                    one["masks"][y + dy, x + dx] = 1
            for point in one["keypoints"]:
                point[:2] += (dx, dy)
                if (
                    not (limits[0][0] <= point[0] < limits[0][1] and limits[1][0] <= point[1] < limits[1][1])
                    or point[2] == 0
                ):
                    point[:] = 0
            sides = one["boxes"][2:] - one["boxes"][:2]
            if one["masks"].any() and min(sides) >= 1 and np.prod(sides) >= 0.15 * before:
                found.append(one)
    return image, label, weight, mask, found


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_mosaic_is_what_plain_loops_make(rng, draws, dtype):
    batch = scenes(rng, dtype)
    made = join(tensors(batch), 0.7, draws)
    chosen = drawing.slot(draws, "mosaic").numpy() < 0.7
    assert 0 < chosen.sum() < COUNT
    for i in range(COUNT):
        point = [
            round(float(drawing.between(draws, f"mosaic_{axis}", *CENTRE)[i] * side)) if chosen[i] else 0
            for axis, side in (("y", HEIGHT), ("x", WIDTH))
        ]
        image, label, weight, mask, found = plain_mosaic(batch, i if chosen[i] else i - 3, *point)
        np.testing.assert_array_equal(made["image"][i], image)
        np.testing.assert_array_equal(made["mask"][i], mask)
        np.testing.assert_allclose(made["label"][i], label, atol=1e-6)
        np.testing.assert_allclose(made["weight"][i], weight, atol=1e-6)
        assert_same_objects(made, i, found)
    assert made["image"].dtype == dtype and made["boxes"].shape == (COUNT, 4 * PLACES, 4)
    assert {key: value.dtype for key, value in made.items()} == {k: v.dtype for k, v in tensors(batch).items()}


def plain_paste(batch, i, chosen):
    """Picture `i` with those objects of the next picture pasted that `chosen` (N,) says: (image, mask, objects)."""
    partner = (i + 1) % COUNT
    pasted = [one for one, yes in zip(objects(batch, partner), chosen, strict=False) if yes]
    image, mask, own = batch["image"][i].copy(), batch["mask"][i].copy(), []
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for one in pasted:
        covered |= one["masks"] > 0
    image[covered], mask[covered] = batch["image"][partner][covered], batch["mask"][partner][covered]
    for one in objects(batch, i):
        before = one["masks"].sum()
        one["masks"][covered] = 0
        for point in one["keypoints"]:
            if covered[int(point[1]), int(point[0])]:
                point[2] = min(point[2], 1)
        if one["masks"].sum() == before:
            own.append(one)
        elif one["masks"].sum() > HIDDEN * before:
            y, x = np.nonzero(one["masks"])
            one["boxes"] = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
            own.append(one)
    return image, mask, own + pasted


def test_pasted_objects_are_what_plain_loops_make(rng, draws):
    batch = scenes(rng)
    made = paste(tensors(batch), 0.7, draws)
    happens = drawing.slot(draws, "paste").numpy() < 0.7
    which = drawing.many(draws, "paste_which", PLACES).numpy() < CHANCE
    pasted = 0
    for i in range(COUNT):
        image, mask, found = plain_paste(batch, i, which[i] & happens[i])
        pasted += (image != batch["image"][i]).any()
        np.testing.assert_array_equal(made["image"][i], image)
        np.testing.assert_array_equal(made["mask"][i], mask)
        assert_same_objects(made, i, found)
    assert pasted >= 3 and made["boxes"].shape == (COUNT, 2 * PLACES, 4) and made["masks"].dtype == tf.uint8
    np.testing.assert_array_equal(made["label"], batch["label"])


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("work", [join, paste])
def test_boxes_stay_in_the_picture_hold_their_masks_and_never_grow(draws, work, seed):
    batch = scenes(np.random.default_rng(seed))
    made = {key: value.numpy() for key, value in work(tensors(batch), 1.0, draws).items()}
    largest = {c: max([0, *area(batch["boxes"])[batch["classes"] == c]]) for c in range(CLASSES)}
    for i in range(COUNT):
        for one in objects(made, i):
            x0, y0, x1, y1 = one["boxes"]
            assert 0 <= x0 < x1 <= WIDTH and 0 <= y0 < y1 <= HEIGHT
            assert area(one["boxes"]) <= largest[int(one["classes"])]
            y, x = np.nonzero(one["masks"])
            assert len(x) and x.min() >= x0 and x.max() < x1 and y.min() >= y0 and y.max() < y1
        padding = made["classes"][i] < 0
        assert (made["boxes"][i, padding] == 0).all() and (made["masks"][i, padding] == 0).all()


def area(boxes):
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


@pytest.mark.parametrize("work", [join, paste])
def test_nothing_changes_at_probability_0(rng, draws, work):
    batch = scenes(rng)
    for key, value in work(tensors(batch), 0.0, draws).items():
        many = np.asarray(value)[:, :PLACES] if key in ("boxes", "classes", "masks", "keypoints") else value
        np.testing.assert_array_equal(many, batch[key], err_msg=key)


def test_what_is_pasted_differs_from_picture_to_picture_and_is_half_of_all(draws):
    which = drawing.many(drawing.uniform(1, tf.zeros(500, tf.int64), tf.range(500, dtype=tf.int64)), "paste_which", 8)
    assert abs((which.numpy() < CHANCE).mean() - 0.5) < 0.03 and len(np.unique(which.numpy() < CHANCE, axis=0)) > 150
    assert np.abs(np.corrcoef(which.numpy().T) - np.eye(8)).max() < 0.2


def test_labels_of_a_mosaic_reach_the_network_and_what_cannot_be_is_refused(rng, draws):
    samples = data.load(
        (rng.integers(0, 256, (24, 12, 12, 3)).astype(np.uint8), np.arange(24) % 3), Data(validation=0.0), 0
    )
    samples = samples.splits["train"]
    options = {"training": True, "num_classes": 3}
    batch = next(iter(data.batches(samples, (12, 12, 3), 8, augment=Augment(mosaic=1.0), **options)))
    assert batch["image"].dtype == tf.uint8 and batch["label"].shape == (8, 3)
    np.testing.assert_allclose(tf.reduce_sum(batch["label"], 1), 1, atol=1e-6)
    with pytest.raises(UserError, match="copy_paste needs masks or outlines, and this data has none: set it to 0"):
        data.batches(samples, (12, 12, 3), 8, augment=Augment(copy_paste=0.5), **options)
    with pytest.raises(UserError, match="boxes cannot follow: use mosaic, copy_paste"):
        mix(tensors(scenes(rng)), CLASSES, Augment(mixup=0.2), draws)
