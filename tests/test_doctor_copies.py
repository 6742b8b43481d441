"""Are copies found, whatever was done to them, and other pictures left alone?"""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kcnn import data, doctor
from kcnn.data.samples import Encoded, Samples, as_strings
from kcnn.doctor import alignment
from kcnn.recipe import Data
from tests.spoiled import copies, encode, scene

GROUPS = ("exact_across_splits", "near_across_splits", "exact_duplicates", "near_duplicates")


def planted(originals, rng):
    """(data set of `originals` {name: bytes} in train and a copy of each in test, {copy's name: original's name})."""
    wanted, items = {}, []
    for i, (name, content) in enumerate(originals.items()):
        image = Image.open(io.BytesIO(content)).convert("RGB")
        kinds = {"exact": content, **copies(image, rng)}
        kind = list(kinds)[i % len(kinds)]
        wanted[f"{kind} {name}"] = name
        items.append(kinds[kind])
    splits = {"train": _samples(list(originals), list(originals.values())), "test": _samples(list(wanted), items)}
    return data.DataSet(splits, ("a", "b"), False, "pictures with copies"), wanted


def _samples(names, items, classes=2):
    return Samples(Encoded(as_strings(items)), np.arange(len(names), dtype=np.int32) % classes, as_strings(names))


def found_and_false(diagnosis, wanted):
    """({kind of copy: share found}, groups that hold pictures of different originals)."""
    groups = [[shown.name for shown in case.pictures] for kind in GROUPS for case in diagnosis.of(kind)]
    false = [group for group in groups if len({wanted.get(name, name) for name in group}) > 1]
    found = {name for group in groups for name in group if group not in false}
    shares = {}
    for copy in wanted:
        shares.setdefault(copy.split()[0], []).append(copy in found)
    return {kind: np.mean(share) for kind, share in shares.items()}, false


def check(originals, rng):
    dataset, wanted = planted(originals, rng)
    shares, false = found_and_false(doctor.diagnose(dataset, Data()), wanted)
    assert set(shares) == {"exact", "encoded", "half", "crop", "sides", "mirrored"}
    assert all(share >= (0.95 if kind in ("crop", "sides") else 1) for kind, share in shares.items()), shares
    assert len(false) <= (len(dataset.splits["train"]) + len(wanted)) / 1000, false


def test_copies_of_drawn_scenes_are_found_and_nothing_else(rng):
    check({f"{i}.png": encode(scene(i), "PNG") for i in range(150)}, rng)


def stamps(folder, step):
    paths = sorted((folder / "stamps" / "folder").rglob("*.jpg"))[::step]
    return {str(path.relative_to(folder)).replace(" ", "_"): path.read_bytes() for path in paths}


@pytest.mark.needs_data
def test_copies_of_photographs_are_found_and_nothing_else(data_folder, rng):
    check(stamps(data_folder, 5), rng)


@pytest.mark.slow
@pytest.mark.needs_data
def test_copies_of_all_stamps_are_found_and_nothing_else(data_folder, rng):
    check(stamps(data_folder, 1), rng)


def plain_shape(seed, side=48, noise=4):
    """A disc, box or triangle of one colour on another, with a little noise: another seed makes another."""
    rng = np.random.default_rng(seed)
    ground, colour = (tuple(map(int, part)) for part in rng.integers(0, 256, (2, 3)))
    (x, y), r = rng.uniform(0.3, 0.7, 2) * side, rng.uniform(0.15, 0.3) * side
    image = Image.new("RGB", (side, side), ground)
    draw = ImageDraw.Draw(image)
    box = [x - r, y - r, x + r, y + r]
    [lambda: draw.ellipse(box, colour), lambda: draw.rectangle(box, colour),
     lambda: draw.polygon([(x, y - r), (x + r, y + r), (x - r, y + r)], colour)][seed % 3]()  # fmt: skip
    noisy = np.asarray(image) + rng.normal(0, noise, (side, side, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def digit(values, side):
    return Image.fromarray(values[..., 0]).resize((side, side), Image.BICUBIC)


@pytest.mark.parametrize("noise", [0, 4])
def test_plain_shapes_that_look_alike_are_no_copies(noise):
    for count, side in ((90, 48), (300, 32), (300, 64)):
        items = [encode(plain_shape(i, side, noise), "PNG") for i in range(count)]
        found = doctor.diagnose(_one_split(items, 3), Data())
        assert not any(found.of(kind) for kind in GROUPS) and not found.quarantine
    found = doctor.diagnose(_one_split([*items, items[5]], 3), Data())
    assert [shown.name for shown in found.of("exact_duplicates")[0].pictures] == ["5", "300"]


@pytest.mark.parametrize("side", [32, 64])
def test_digits_saved_as_larger_pictures_are_no_copies_of_each_other(side):
    values = data.load("builtin:digits", Data(validation=0, test=0)).splits["train"].images.values[:1000]
    found = doctor.diagnose(_one_split([encode(digit(one, side), "PNG") for one in values]), Data())
    false = sum(len(case.pictures) - 1 for kind in GROUPS for case in found.of(kind))
    assert len(values) == 1000 and not false, found.of("near_duplicates")


def test_one_scene_with_another_object_is_no_copy():
    scenes = []
    for colour in ("white", "black"):
        image = scene(3)
        ImageDraw.Draw(image).ellipse([50, 30, 76, 56], colour)
        scenes.append(encode(image, "PNG"))
    found = doctor.diagnose(_one_split(scenes + [encode(scene(4), "PNG")]), Data())
    assert not any(found.of(kind) for kind in GROUPS)


def test_other_bytes_with_the_same_pixels_are_the_same_content():
    items = [encode(scene(1), "PNG"), encode(scene(1), "BMP"), encode(scene(1), "PNG", compress_level=1)]
    found = doctor.diagnose(_one_split([*items, encode(scene(2), "PNG")]), Data())
    (case,) = found.of("exact_duplicates")
    assert len(case.pictures) == 3 and not found.of("near_duplicates")


def test_copies_with_other_labels_conflict_and_all_are_to_be_left_out():
    items = [encode(scene(1), "PNG"), encode(scene(1), "JPEG", quality=80), *(encode(scene(i), "PNG") for i in (2, 3))]
    found = doctor.diagnose(_one_split(items), Data())
    (case,) = found.of("conflicting_duplicates")
    assert {shown.label for shown in case.pictures} == {"a", "b"}
    assert [name for name, _ in found.quarantine] == ["0", "1"] and "different labels" in found.quarantine[0][1]


def test_the_copy_in_the_test_split_stays():
    splits = {split: _samples([split, f"{split} too"], [encode(scene(1), "PNG"), encode(scene(k), "PNG")])
              for k, split in enumerate(("train", "val", "test"), 2)}  # fmt: skip
    found = doctor.diagnose(data.DataSet(splits, ("a", "b"), False, "x"), Data())
    assert found.is_severe and len(found.of("exact_across_splits")[0].pictures) == 3
    assert [name for name, _ in found.quarantine] == ["train", "val"]


def test_near_copies_within_a_split_are_reported_and_left_alone():
    png, jpeg = encode(scene(1), "PNG"), encode(scene(1), "JPEG", quality=80)
    others = [encode(scene(i), "PNG") for i in (2, 3)]
    found = doctor.diagnose(_one_split([png, others[0], jpeg, others[1]]), Data())
    assert len(found.of("near_duplicates")) == 1 and not found.quarantine
    half = encode(scene(1).resize((64, 48), Image.BICUBIC), "PNG")
    splits = {
        "train": _samples(["a", "b", "c"], [png, others[0], jpeg]),
        "test": _samples(["t", "u"], [half, others[1]]),
    }
    found = doctor.diagnose(data.DataSet(splits, ("a", "b"), False, "x"), Data())
    assert [name for name, _ in found.quarantine] == ["a", "c"], "the side that is learned"


def test_exact_copies_are_named_first_and_one_of_them_stands_for_all_among_the_near_ones():
    png, jpeg = encode(scene(1), "PNG"), encode(scene(1), "JPEG", quality=80)
    splits = {"train": _samples(["a", "b", "c"], [png, encode(scene(2), "PNG"), jpeg]),
              "test": _samples(["t", "u"], [png, encode(scene(3), "PNG")])}  # fmt: skip
    found = doctor.diagnose(data.DataSet(splits, ("a", "b"), False, "x"), Data())
    (exact,), (near,) = found.of("exact_across_splits"), found.of("near_across_splits")
    assert {shown.name for shown in exact.pictures} == {"a", "t"} and exact.detail == "the same content"
    assert {shown.name for shown in near.pictures} == {"c", "t"}
    assert dict(found.quarantine) == {"a": "exact copy of t in test", "c": "near copy of t in test"}


def test_rows_of_one_name_are_severe_and_said_for_a_list_of_names_cannot_tell_them_apart():
    one, two, *others = (encode(scene(i), "PNG") for i in range(1, 6))
    splits = {"train": _samples(["same", "b", "twice", "c", "twice"], [one, others[0], two, others[1], two]),
              "test": _samples(["same", "u"], [one, others[2]])}  # fmt: skip
    found = doctor.diagnose(data.DataSet(splits, ("a", "b"), False, "x"), Data())
    assert found.is_severe and [case.detail for case in found.of("listed_twice")] == [
        "keep one row in test, delete those in train", "keep one of 2 rows in train"]  # fmt: skip
    assert not found.quarantine


def test_small_pictures_such_as_digits_are_compared_exactly_only():
    values = np.random.default_rng(0).integers(0, 256, (6, 12, 12, 1), np.uint8)
    values[1] = values[0]
    values[3] = np.clip(values[2].astype(int) + 1, 0, 255)
    labels = np.array([0, 0, 1, 1, 0, 1], np.int32)
    found = doctor.diagnose(data.load((values, labels), Data(validation=0)), Data())
    assert [len(case.pictures) for case in found.of("exact_duplicates")] == [2] and not found.of("near_duplicates")


@pytest.mark.parametrize("scale, shift", [(1.0, 0.0), (0.92, 0.0), (0.95, 0.6), (0.9, -1.2)])
def test_the_fit_finds_where_a_crop_was(scale, shift):
    whole = np.asarray(scene(5, (320, 320)).convert("L"), np.float32).reshape(32, 10, 32, 10).mean((1, 3))[None]
    big = scene(5, (320, 320)).convert("L")
    low = 160 + 10 * shift - 160 * scale
    crop = big.resize((320, 320), Image.BICUBIC, box=(low, low, low + 320 * scale, low + 320 * scale))
    still = np.asarray(crop, np.float32).reshape(32, 10, 32, 10).mean((1, 3))[None]
    found = alignment.fit(whole, still)
    np.testing.assert_allclose(found[0, ::2], scale, atol=0.01)
    np.testing.assert_allclose(found[0, 1::2], shift, atol=0.15)
    assert alignment.likeness(whole, still, found).correlation[0] > 0.97


def _one_split(items, classes=2):
    samples = _samples([str(i) for i in range(len(items))], items, classes)
    return data.DataSet({"train": samples}, tuple("abc"[:classes]), False, "x")
