"""Volumes in NIfTI files: read alike however they are stored, refused where a header lies, answered in their place."""

import gzip
import json
import sys
import tracemalloc
import zipfile

import nibabel
import numpy as np
import pytest

import kcnn
from kcnn import data
from kcnn.data.nifti import scan_of, without_suffix
from kcnn.data.volumes import classes_of, voxels_of, write_mask_on
from kcnn.errors import UserError
from kcnn.recipe import Data

SIZE = (5, 6, 7)  # depth, height, width
AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])
AXES = [("R", "A", "S"), ("L", "P", "S"), ("P", "I", "L"), ("S", "R", "A"), ("A", "L", "I")]


def save(path, values, axes=("R", "A", "S"), affine=AFFINE, kind=nibabel.Nifti1Image):
    """Store `values` (D, H, W) or (D, H, W, C), as seen, along the `axes`; `affine` is of the canonical ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = kind(values.transpose(2, 1, 0, *range(3, values.ndim)), affine)
    turns = nibabel.orientations.axcodes2ornt(axes)
    nibabel.save(
        image.as_reoriented(nibabel.orientations.ornt_transform(np.array([[0, 1], [1, 1], [2, 1]]), turns)), path
    )
    return path


def noise(size=SIZE, seed=0):
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


def boxes(size=SIZE, classes=2, seed=0):
    """uint8 (D, H, W): a block of each class beside class 0."""
    values = np.zeros(size, np.uint8)
    for k in range(1, classes):
        low = np.random.default_rng((seed, k)).integers(0, 3, 3)
        values[tuple(slice(n, n + 2) for n in low)] = k
    values[0, 0, : classes - 1] = range(1, classes)
    return values


def put(root, count=3, names=("images", "masks"), classes=2, mark="", size=SIZE, first=0, suffix=".nii.gz"):
    for i in range(first, first + count):
        save(root / names[0] / f"{i}{mark}{suffix}", noise(size, i))
        save(root / names[1] / f"{i}{suffix}", boxes(size, classes, i))


def load(address, check=False, **options):
    options = Data(**{"validation": 0, **options})
    found = data.load(address, options, 0)
    return data.check(found, options) if check else found


def rewritten(path, offset, kind, *values):
    """The file at `path` with other numbers in its header."""
    content = bytearray(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
    numbers = np.array(values, kind).tobytes()
    content[offset : offset + len(numbers)] = numbers
    path.write_bytes(gzip.compress(bytes(content)) if path.suffix == ".gz" else bytes(content))
    return path


@pytest.mark.parametrize("axes", AXES, ids="".join)
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_one_orientation_for_all(tmp_path, axes, kind):
    """Files of other axes hold the same volume, and a mask laid on them has their axes, shape and affine."""
    values = noise()
    scan = scan_of(save(tmp_path / "a.nii.gz", values, axes, kind=kind))
    np.testing.assert_array_equal(voxels_of(scan)[..., 0], values)
    assert scan.size == SIZE and scan.channels == 1
    np.testing.assert_allclose(scan.affine, AFFINE)
    mask = boxes(classes=4)
    write_mask_on(scan, mask, tmp_path / "mask.nii.gz")
    stored, original = nibabel.load(tmp_path / "mask.nii.gz"), nibabel.load(tmp_path / "a.nii.gz")
    assert stored.shape == original.shape and stored.get_data_dtype() == np.uint8 and type(stored) is kind
    np.testing.assert_array_equal(stored.affine, original.affine)
    assert nibabel.aff2axcodes(stored.affine) == axes
    np.testing.assert_array_equal(nibabel.as_closest_canonical(stored).get_fdata().transpose(2, 1, 0), mask)
    np.testing.assert_array_equal(classes_of(scan_of(tmp_path / "mask.nii.gz")), mask)


def test_slope_channels_and_names(tmp_path):
    values = np.arange(np.prod(SIZE) * 2, dtype=np.int16).reshape(*SIZE, 2)
    path = save(tmp_path / "scan.of.him.nii", values)
    rewritten(path, 112, "<f4", 0.5, -10)  # scl_slope and scl_inter
    scan = scan_of(path)
    assert scan.channels == 2
    np.testing.assert_array_equal(voxels_of(scan), values.astype(np.float32) / 2 - 10)
    assert without_suffix(path) == str(tmp_path / "scan.of.him") and without_suffix("a/b.c.NII.GZ") == "a/b.c"
    odd = tmp_path / "packed.nii"  # content decides what is unpacked
    odd.write_bytes(gzip.compress(path.read_bytes()))
    np.testing.assert_array_equal(voxels_of(scan_of(odd)), voxels_of(scan))


def colours(path):
    voxels = np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), path)


def of_shape(*shape):
    return lambda path: nibabel.save(nibabel.Nifti1Image(np.zeros(shape, np.float32), AFFINE), path)


def claiming(*shape):
    """A file of NIfTI-2 whose header states a `shape` that its few bytes do not hold."""
    return lambda path: rewritten(
        save(path, noise(), kind=nibabel.Nifti2Image), 16, "<i8", len(shape), *shape, *[1] * (7 - len(shape))
    )


def bomb(path):
    """A gzip of zeros that is as dense as gzip can be, and more than memory holds by its header."""
    header = nibabel.Nifti2Header()
    header.set_data_shape((60_000, 60_000, 2))
    header.set_data_dtype(np.uint8)
    zeros = gzip.compress(bytes(1 << 24))
    path.write_bytes(gzip.compress(header.binaryblock) + zeros * (60_000 * 60_000 * 2 // (1 << 24) + 1))


def with_affine(affine):
    def write(path):
        save(path, noise())
        rewritten(path, 252, "<i2", 0, 1)  # qform_code and sform_code
        rewritten(path, 280, "<f4", *np.ravel(affine[:3]))

    return write


BAD = {
    "missing": (lambda path: None, "no such file"),
    "empty": (lambda path: path.write_bytes(b""), "cannot be read"),
    "empty inside": (lambda path: path.write_bytes(gzip.compress(b"")), "it is empty"),
    "text": (lambda path: path.write_bytes(b"no volume " * 80), "it is no NIfTI file"),
    "cut": (lambda path: path.write_bytes(save(path, noise((30, 40, 50))).read_bytes()[:9000]), "damaged or cut off"),
    "rotten": (lambda path: path.write_bytes(save(path, noise()).read_bytes()[:-8] + bytes(8)), "damaged or cut off"),
    "plain and cut": (lambda path: path.write_bytes(gzip.decompress(save(path, noise()).read_bytes())[:-9]),
                      "which its file cannot hold: it is damaged or cut off"),
    "two axes": (of_shape(8, 9), "has axes of 8x9; a volume has 3, or 4 with channels"),
    "five axes": (of_shape(4, 4, 4, 2, 3), "has axes of 4x4x4x2x3"),
    "no voxels": (claiming(4, -4, 4), "has no voxels .4x-4x4."),
    "complex": (lambda path: save(path, noise().astype(np.complex64)), "holds complex numbers"),
    "colours": (colours, "holds colours"),
    "unknown numbers": (lambda path: rewritten(save(path, noise()), 70, "<i2", 999), "cannot be read"),
    "not finite": (lambda path: save(path, np.where(noise() > 1, np.nan, noise())), "not finite numbers"),
    "huge": (claiming(10**5, 10**5, 10**5), "claims 100000x100000x100000 voxels, .* which its file cannot hold"),
    "far": (lambda path: rewritten(save(path, noise()), 108, "<f4", 1e30), "which its file cannot hold"),
    "no place": (lambda path: rewritten(save(path, noise()), 108, "<f4", np.nan), "cannot be read"),
    "flat affine": (with_affine(np.diag([1, 0, 1, 1])), "affine that does not say where its axes point"),
    "endless affine": (with_affine(np.full((4, 4), np.inf)), "affine that does not say"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_said(tmp_path, name):
    write, words = BAD[name]
    path = tmp_path / "a.nii.gz"
    write(path)
    tracemalloc.start()
    scan = scan_of(path)
    reason = scan if isinstance(scan, str) else voxels_of(scan)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(reason, str)
    with pytest.raises(UserError, match=words):
        raise UserError(reason)
    assert peak < 1 << 24


def test_memory_bounds_what_a_dense_file_may_hold(tmp_path, monkeypatch):
    bomb(tmp_path / "a.nii.gz")
    monkeypatch.setattr("kcnn.data.nifti.free_memory", lambda: 1 << 32)
    assert "has 60000x60000x2 voxels, which take 72,000,000,000 bytes of memory; 4,294,967,296 are free" in scan_of(
        tmp_path / "a.nii.gz"
    )


@pytest.mark.parametrize("values, words", [
    (noise(), "holds fractions"), (boxes() * np.int16(300), "has the number 300; 0 to 254 are read"),
    (boxes().astype(np.int16) - 2, "has the number -2"),
    (np.stack([boxes()] * 2, -1), "has 2 channels; a mask has one"),
])  # fmt: skip
def test_masks_that_are_none(tmp_path, values, words):
    assert words in classes_of(scan_of(save(tmp_path / "m.nii", values)))


def test_minus_one_is_not_judged(tmp_path):
    mask = classes_of(scan_of(save(tmp_path / "m.nii", boxes().astype(np.float32) - 1)))
    np.testing.assert_array_equal(mask, np.where(boxes(), 0, 255))


LAYOUTS = {
    "images|masks": {"train": ("images", "masks")},
    "images|labels": {"train": ("images", "labels")},
    "splits around": {"train": ("train/images", "train/masks"), "val": ("valid/images", "valid/masks")},
    "splits inside": {"train": ("images/training", "masks/training"), "test": ("images/test", "masks/test")},
    "splits beside": {"train": ("train", "train_masks"), "unseen": ("unseen", "unseen_masks")},
    "Decathlon": {"train": ("imagesTr", "labelsTr"), "test": ("imagesTs", "labelsTs")},
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts(tmp_path, name):
    for number, names in enumerate(LAYOUTS[name].values()):
        put(tmp_path, 3 + number, names)
    found = load(tmp_path, check=True)
    assert found.task == "masks" and not found.set_aside and "NIfTI, 5x6x7x1" in found.format
    assert {split: len(s) for split, s in found.splits.items()} == {s: 3 + i for i, s in enumerate(LAYOUTS[name])}
    for split, samples in found.splits.items():
        for i in range(len(samples)):
            np.testing.assert_array_equal(samples.images.values[i, ..., 0], noise(seed=i))
            np.testing.assert_array_equal(samples.masks.values[i], boxes(seed=i))
        assert found.class_pixels(split) == tuple(np.bincount(samples.masks.values.ravel(), minlength=2))
        np.testing.assert_array_equal(samples.labels, np.ones((len(samples), 2)))


def test_the_layout_of_nnunet(tmp_path):
    """A file a channel, and its dataset.json, whose "ignore" is not judged; a test split without masks is said."""
    put(tmp_path, 3, ("imagesTr", "labelsTr"), classes=4, mark="_0000")
    put(tmp_path, 1, ("imagesTs", "elsewhere"))
    for i in range(3):
        save(tmp_path / "imagesTr" / f"{i}_0001.nii.gz", noise(seed=10 + i))
    save(tmp_path / "imagesTr" / "2_0003.nii.gz", noise())
    named = {"labels": {"background": 0, "tumour": 1, "oedema": 2, "ignore": 3}, "channel_names": {"0": "T1"}}
    (tmp_path / "dataset.json").write_text(json.dumps(named))
    found = load(tmp_path)
    train = found.splits["train"]
    assert found.class_names == ("background", "tumour", "oedema") and "named by dataset.json" in found.format
    np.testing.assert_array_equal(train.images.values[1], np.stack([noise(seed=1), noise(seed=11)], -1))
    np.testing.assert_array_equal(
        train.masks.values[1], np.where(boxes(classes=4, seed=1) == 3, 255, boxes(classes=4, seed=1))
    )
    assert list(train.names) == [f"imagesTr/{i}_0000.nii.gz" for i in range(2)]
    assert dict(found.set_aside)["imagesTr/2_0000.nii.gz"] == "has channels 0, 1, 3: one between them is missing"
    assert any("'test' has volumes but no masks" in note for note in found.notes)


def test_names_of_the_decathlon_and_of_a_list(tmp_path):
    put(tmp_path, 3, ("imagesTr", "labelsTr"), suffix=".nii")
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": {"0": "background", "1": "spleen"}}))
    assert load(tmp_path).class_names == ("background", "spleen")
    (tmp_path / "classes.txt").write_text("around\nspleen\nliver")
    found = load(tmp_path)
    assert found.class_names == ("around", "spleen", "liver")
    assert any("never occur in a mask: liver" in note for note in found.notes)


def test_what_does_not_fit_is_set_aside_by_name(tmp_path):
    put(tmp_path, 10)
    (tmp_path / "classes.txt").write_text("around\ninside")
    save(tmp_path / "masks" / "1.nii.gz", boxes((5, 6, 8)))
    save(tmp_path / "masks" / "2.nii.gz", noise())
    save(tmp_path / "masks" / "3.nii.gz", boxes(classes=4))
    save(tmp_path / "masks" / "4.nii.gz", np.full(SIZE, 255, np.uint8))
    save(tmp_path / "masks" / "5.nii.gz", boxes(), affine=AFFINE + np.eye(4, k=3) * 9)
    (tmp_path / "masks" / "6.nii.gz").unlink()
    (tmp_path / "images" / "7.nii.gz").write_bytes(b"")
    save(tmp_path / "images" / "8.nii.gz", np.full(SIZE, np.nan, np.float32))
    found = load(tmp_path)
    assert list(found.splits["train"].names) == ["images/0.nii.gz", "images/9.nii.gz"]
    reasons = {int(name.split("/")[1][0]): reason for name, reason in found.set_aside}
    assert set(reasons) == set(range(1, 9))
    for number, words in enumerate([
        "its mask is 5x6x8, the volume 5x6x7", "its mask holds fractions", "classes.txt names 0 to 1 (inside)",
        "its mask is empty", "its mask lies elsewhere in space", "has no mask", "cannot be read", "not finite numbers",
    ], 1):  # fmt: skip
        assert words in reasons[number]


@pytest.mark.parametrize("size, affine", [((5, 6, 8), AFFINE), (SIZE, AFFINE + np.eye(4, k=3) * 9)])
def test_channels_that_do_not_lie_on_each_other(tmp_path, size, affine):
    put(tmp_path, 3, ("imagesTr", "labelsTr"), mark="_0000")
    for i in range(3):
        path = tmp_path / "imagesTr" / f"{i}_0001.nii.gz"
        save(path, noise(size if i == 1 else SIZE), affine=affine if i == 1 else AFFINE)
    found = load(tmp_path)
    assert len(found.splits["train"]) == 2 and found.splits["train"].images.values.shape[-1] == 2
    sizes = f"5x6x7, {'x'.join(map(str, size))}"
    assert found.set_aside == [("imagesTr/1_0000.nii.gz", f"its channels differ in size or place: {sizes}")]


def test_a_mask_of_other_axes_lies_on_its_volume(tmp_path):
    for i, axes in enumerate(AXES):
        save(tmp_path / "images" / f"{i}.nii.gz", noise(seed=i), axes)
        save(tmp_path / "masks" / f"{i}.nii.gz", boxes(seed=i), AXES[i - 1])
    train = load(tmp_path).splits["train"]
    assert len(train) == len(AXES)
    for i in range(len(AXES)):
        np.testing.assert_array_equal(train.images.values[i, ..., 0], noise(seed=i))
        np.testing.assert_array_equal(train.masks.values[i], boxes(seed=i))


@pytest.mark.parametrize("white", [1, 255])
def test_sizes_that_differ_stand_centred(tmp_path, white):
    """Also where 255 is a class: what is around a volume is not judged."""
    sizes = [(5, 6, 7), (7, 6, 5), (4, 9, 5)]
    for i, size in enumerate(sizes):
        save(tmp_path / "images" / f"{i}.nii.gz", noise(size, i))
        save(tmp_path / "masks" / f"{i}.nii.gz", boxes(size) * np.uint8(white))
    found = load(tmp_path)
    train = found.splits["train"]
    assert train.images.values.shape == (3, 7, 9, 7, 1) and found.num_classes == 2
    for i, size in enumerate(sizes):
        place = tuple(slice((a - b) // 2, (a - b) // 2 + b) for a, b in zip((7, 9, 7), size, strict=True))
        values, mask = np.full((7, 9, 7), noise(size, i).min()), np.full((7, 9, 7), 255)
        values[place], mask[place] = noise(size, i), boxes(size)
        np.testing.assert_array_equal(train.images.values[i, ..., 0], values)
        np.testing.assert_array_equal(train.masks.values[i], mask)
    assert any("3 sizes" in note and "centred in 7x9x7" in note for note in found.notes)


def test_what_memory_cannot_hold_and_channels_that_differ(tmp_path, monkeypatch):
    put(tmp_path, 2)
    put(tmp_path, 1, size=(9, 6, 7), first=2)
    with monkeypatch.context() as patched:
        patched.setattr("kcnn.data.volume_folder.free_memory", lambda: 1000)
        with pytest.raises(UserError, match="3 volumes of 5x6x7 to 9x6x7 voxels and 1 channels take 11,340 bytes"):
            load(tmp_path)
    save(tmp_path / "images" / "1.nii.gz", np.stack([noise()] * 2, -1))
    with pytest.raises(UserError, match=r"different numbers of channels: 1 \(images/2.nii.gz\), 2 \(images/1.nii.gz\)"):
        load(tmp_path)


def test_nothing_of_use_is_refused(tmp_path):
    put(tmp_path, 2)
    for i in range(2):
        save(tmp_path / "masks" / f"{i}.nii.gz", noise())
    with pytest.raises(UserError, match=r"no volume can be used \(2 looked at; images/0.nii.gz: its mask holds fract"):
        load(tmp_path)
    for i in range(2):
        (tmp_path / "masks" / f"{i}.nii.gz").rename(tmp_path / "masks" / f"{i + 7}.nii.gz")
    with pytest.raises(UserError, match="no mask has the name of a volume; accepted: DIR/images"):
        load(tmp_path)


def test_without_nibabel(tmp_path, monkeypatch):
    put(tmp_path)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(UserError, match=r"need nibabel: pip install 'kcnn\[volumes\]'"):
        load(tmp_path)


def test_an_archive_of_volumes(tmp_path, monkeypatch):
    monkeypatch.setenv("KCNN_CACHE", str(tmp_path / "cache"))
    put(tmp_path / "set")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        for path in sorted((tmp_path / "set").rglob("*.*")):
            archive.write(path, path.relative_to(tmp_path))
    assert len(load(tmp_path / "set.zip").splits["train"]) == 3


def test_a_network_for_volumes_answers_in_their_place(tmp_path):
    """Trained on a folder of them, asked about a file of other axes and size; what it cannot read has an error."""
    put(tmp_path / "set", 8, size=(16, 18, 20))
    run = kcnn.build_and_fit_segmenter(
        tmp_path / "set", architecture="resnet_toy", head="unet", stem="small", epochs=1, batch_size=2,
        **{"runtime.runs": str(tmp_path / "runs")},
    )  # fmt: skip
    assert run.facts.input_shape == (16, 18, 20, 1)
    scan = save(tmp_path / "new" / "scan.nii.gz", noise((17, 21, 14)), ("L", "P", "S"))
    answer = run.predict(scan, out=tmp_path / "out")
    written = nibabel.load(tmp_path / "out" / "scan-mask.nii.gz")
    assert answer["files"] == {"mask": str(tmp_path / "out" / "scan-mask.nii.gz")} and "error" not in answer
    assert written.shape == nibabel.load(scan).shape == (14, 21, 17)
    np.testing.assert_array_equal(written.affine, nibabel.load(scan).affine)
    np.testing.assert_array_equal(written.get_fdata()[::-1, ::-1].transpose(2, 1, 0), answer["mask"])
    np.testing.assert_array_equal(answer["mask"], run.predict(noise((17, 21, 14))[..., None])["mask"])
    save(tmp_path / "new" / "two.nii", np.stack([noise()] * 2, -1))
    (tmp_path / "new" / "z.nii.gz").write_bytes(b"text")
    found = run.predict([*data.picture_files([tmp_path / "new"]), tmp_path / "none.nii"])
    assert ["error" in answer for answer in found] == [False, True, True, True]
    assert "has 2 channels, and this model sees 1" in found[1]["error"] and found[2]["mask"] is None
    assert "no NIfTI file" in found[2]["error"] and "no such file" in found[3]["error"]


def test_a_network_for_pictures_says_that_it_sees_no_volumes(tmp_path):
    path = save(tmp_path / "scan.nii.gz", noise())
    settings = {"architecture": "resnet_toy", "epochs": 1, "batch_size": 2, "runtime.runs": str(tmp_path / "runs")}
    pictures = np.random.default_rng(0).integers(0, 255, (8, 16, 16, 1), np.uint8)
    run = kcnn.build_and_fit_classifier((pictures, np.arange(8) % 2), **settings)
    assert run.predict(path)["error"] == "is a NIfTI volume, and this model sees pictures"
    with pytest.raises(UserError, match="scan.nii.gz: is a NIfTI volume"):
        run.explain(path)
