"""Every word of the command line, and every mistake a user can make: one line, status 2, no traceback."""

import json
import os
import stat
import sys

import numpy as np
import pytest
from PIL import Image

from kcnn import cli
from kcnn.recipe import options


def kcnn(capsys, *words):
    """(status, stdout, stderr) of the command `kcnn words…`, run in this process."""
    old, sys.argv = sys.argv, ["kcnn", *map(str, words)]
    try:
        cli.main()
        status = 0
    except SystemExit as end:
        status = end.code or 0
    finally:
        sys.argv = old
    return status, *capsys.readouterr()


def refused(capsys, *words):
    """The one line with which the command ends with status 2."""
    status, out, err = kcnn(capsys, *words)
    assert status == 2, (status, out, err)
    assert "Traceback" not in err + out
    lines = [line for line in err.splitlines() if line.startswith("kcnn: ")]
    assert lines, err
    return err


@pytest.fixture
def photos(tmp_path):
    """Two classes of ten 40×40 PNGs."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(("dark", "light")):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(10):
            values = rng.integers(0, 100, (40, 40, 3)) + 120 * k
            Image.fromarray(values.astype(np.uint8)).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


def fit(capsys, tmp_path, data, *words):
    """The line with which a fit of a tiny net on `data` is refused."""
    base = (
        "fit",
        "--data",
        data,
        "--architecture",
        "resnet_toy",
        "--epochs",
        1,
        "--set",
        f"runtime.runs={tmp_path}/runs",
    )
    return refused(capsys, *base, "--set", "train.batch_size=4", *words)


def test_every_word_has_help(capsys):
    status, out, _ = kcnn(capsys, "--help")
    assert status == 0
    words = [command.name or command.callback.__name__ for command in cli.app.registered_commands]
    known = "demo fit plan find-rate resume extend evaluate robustness compare predict explain export card"
    assert set(f"{known} convert check list describe app".split()) == set(words)
    for word in words:
        assert word in out
        assert kcnn(capsys, word, "--help")[0] == 0


LISTS = "architectures heads augmentations schedules optimizers recipes options tips"


@pytest.mark.parametrize("what", LISTS.split())
def test_lists_are_not_empty(capsys, what):
    status, out, _ = kcnn(capsys, "list", what)
    assert status == 0 and out.strip()
    assert f"kcnn list {what}" in kcnn(capsys, "list")[1].splitlines()


def test_options_list_is_the_schema(capsys):
    _, out, _ = kcnn(capsys, "list", "options")
    assert [line.split()[0] for line in out.splitlines()] == [path for path, *_ in options()]
    assert "unknown list 'optoins': did you mean 'options'" in refused(capsys, "list", "optoins")


def test_check_names_what_it_found_and_set_aside(capsys, photos):
    (photos / "dark" / "text.jpg").write_text("not a picture")
    (photos / "light" / "empty.png").write_bytes(b"")
    whole = (photos / "light" / "0.png").read_bytes()
    (photos / "light" / "cut.png").write_bytes(whole[: len(whole) // 2])
    before = {path: path.read_bytes() for path in photos.rglob("*.*")}
    status, out, _ = kcnn(capsys, "check", photos)
    assert status == 0 and "classes: dark, light" in out
    for name in ("text.jpg", "empty.png", "cut.png"):
        assert any("set aside" in line and name in line for line in out.splitlines()), name
    assert before == {path: path.read_bytes() for path in photos.rglob("*.*")}


def test_fit_evaluate_predict_explain_export(capsys, photos, tmp_path):
    runs = f"runtime.runs={tmp_path}/runs"
    words = ("--data", photos, "--architecture", "resnet_toy", "--epochs", 2, "--set", runs, "--set", "batch_size=4")
    words = (*words, "--name", "small")
    status, out, _ = kcnn(capsys, "fit", *words)
    run = tmp_path / "runs" / "small"
    assert status == 0 and "val: accuracy" in out and (run / "report" / "report.md").is_file()
    assert "exists already" in refused(capsys, "fit", *words)
    status, out, _ = kcnn(capsys, "evaluate", run, "--json")
    assert status == 0 and 0 <= json.loads(out)["accuracy"] <= 1
    status, out, _ = kcnn(capsys, "evaluate", run)
    assert status == 0 and "Accuracy" in out and "report.md" in out and "{" not in out
    (photos / "torn.png").write_bytes(b"no picture")
    status, out, _ = kcnn(capsys, "predict", run, photos / "torn.png")
    assert status == 1 and "cannot be read" in json.loads(out)["error"]
    status, out, _ = kcnn(capsys, "predict", run, photos / "dark" / "1.png", photos / "gone.png")
    answer, absent = (json.loads(line) for line in out.splitlines())
    assert status == 1 and answer["label"] in ("dark", "light") and absent["error"] == "no such file"
    status, out, _ = kcnn(capsys, "predict", run, photos / "dark" / "1.png", photos / "light")
    answers = [json.loads(line) for line in out.splitlines()]
    assert status == 0 and len(answers) == 11 and answers[0]["label"] in ("dark", "light")
    assert "gone.png: no such file" in refused(capsys, "explain", run, photos / "gone.png")
    status, out, _ = kcnn(capsys, "explain", run, photos / "dark" / "1.png", "--out", tmp_path / "why.png")
    assert status == 0 and Image.open(tmp_path / "why.png").size
    assert "unknown method 'grad_cma': did you mean 'grad_cam'" in refused(
        capsys, "explain", run, photos / "dark" / "1.png", "--method", "grad_cma"
    )
    status, out, _ = kcnn(capsys, "export", run, "--format", "keras")
    assert status == 0 and "exports" in out
    assert "did you mean" in refused(capsys, "export", run, "--format", "savedmodel")
    assert "has finished" in refused(capsys, "resume", run)


def test_data_that_is_not_there(capsys, tmp_path):
    assert "no such folder" in fit(capsys, tmp_path, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    message = fit(capsys, tmp_path, tmp_path / "empty")
    assert "train" in message and "empty" in message, "it shows the tree seen and the layouts accepted"
    assert "give a RECIPE or --data" in refused(capsys, "fit")


def test_one_class_is_refused(capsys, photos, tmp_path):
    for file in (photos / "light").iterdir():
        file.unlink()
    (photos / "light").rmdir()
    assert "one class" in fit(capsys, tmp_path, photos)


def test_a_huge_picture_is_refused_before_decoding(capsys, photos):
    import struct
    import zlib

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (photos / "dark" / "huge.png").write_bytes(bomb)
    _, out, _ = kcnn(capsys, "check", photos)
    line = next(line for line in out.splitlines() if "huge.png" in line)
    assert "30000x30000" in line and "not decoded" in line


def test_one_pixel_pictures_train(capsys, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "dots" / name).mkdir(parents=True)
        for i in range(8):
            Image.new("RGB", (1, 1), (i, 100 * (name == "b"), 0)).save(tmp_path / "dots" / name / f"{i}.png")
    words = (
        "--architecture",
        "resnet_toy",
        "--epochs",
        1,
        "--set",
        f"runtime.runs={tmp_path}/runs",
        "--set",
        "train.batch_size=4",
    )
    status, _, err = kcnn(capsys, "fit", "--data", tmp_path / "dots", *words, "--set", "data.image_size=16")
    assert status == 0, err
    assert "too small" in fit(capsys, tmp_path, tmp_path / "dots", "--set", "data.image_size=4")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--architecture", "resnet19"], "unknown architecture 'resnet19': did you mean"),
        (["--architecture", "vgg16", "--set", "model.stem=standard"], "is too small for vgg16"),
        (["--head", "clasifier"], "unknown head 'clasifier': did you mean 'classifier'"),
        (["--set", "train.epoch=3"], "unknown recipe key 'epoch': did you mean 'epochs'"),
        (["--set", "train.epochs=many"], "train.epochs"),
        (["--set", "train.batch_size=4000"], "batch_size is 4000"),
        (["--set", "model.overrides={widht=3}"], "did you mean 'width'"),
        (["--set", "train.schedule=cosin"], "did you mean 'cosine'"),
        (["--name", "../out"], "plain folder name"),
        (["--weights", "no/such/run"], "no run at"),
        (["--set", "data.image_size=16", "--architecture", "vgg16", "--set", "model.stem=standard"], "too small"),
    ],
)
def test_mistakes_in_options(capsys, photos, tmp_path, words, message):
    line = fit(
        capsys,
        tmp_path,
        photos,
        *(["--set", "data.image_size=24"] if "data.image_size=16" not in words else []),
        *words,
    )
    assert message in line
    runs = tmp_path / "runs"
    assert not runs.exists() or not any(runs.iterdir()), "a refused run must leave no folder"


def test_recipes_that_are_not_there(capsys):
    assert "did you mean 'classify/digits'" in refused(capsys, "fit", "classify/digit")
    for word in ("fit", "plan"):
        assert "no such file: none.toml; `kcnn list recipes` names" in refused(capsys, word, "none.toml")


def test_an_unwritable_run_folder(capsys, photos, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be")
    assert "cannot write the run folder" in fit(capsys, tmp_path, photos, "--set", f"runtime.runs={blocked}/runs")
    if os.geteuid():
        closed = tmp_path / "closed"
        closed.mkdir()
        closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
        assert "cannot write the run folder" in fit(capsys, tmp_path, photos, "--set", f"runtime.runs={closed}/runs")


def test_runs_that_are_not_there(capsys, tmp_path):
    more = {"predict": (tmp_path / "x.png",), "explain": (tmp_path / "x.png",), "extend": ("--epochs", 1)}
    more["compare"] = (tmp_path / "x",)
    for word in ("resume", "extend", "evaluate", "compare", "predict", "explain", "export"):
        assert "no run at" in refused(capsys, word, tmp_path / "none", *more.get(word, ()))


def test_check_shows_augmentation(capsys, photos, tmp_path):
    """A sheet by a policy's name or a recipe; what is neither is refused, and so is a sheet without a folder."""
    own = tmp_path / "own.toml"
    own.write_text('[augment]\nrotation = 20.0\n[[augment.steps]]\nchoices = [{operation = "invert"}]\n')
    for augment in ("trivialaugment", own):
        status, out, _ = kcnn(capsys, "check", photos, "--augment", augment, "--out", tmp_path / "sheet")
        assert status == 0 and "augmented.png" in out
        picture = np.asarray(Image.open(tmp_path / "sheet" / "augmented.png"))
        assert min(picture.shape[:2]) > 300 and picture.std() > 10
    assert "did you mean 'randaugment'" in refused(capsys, "check", photos, "--augment", "randaug", "--out", tmp_path)
    lost = refused(capsys, "check", photos, "--augment", "none.toml", "--out", tmp_path / "sheet")
    assert "no such file: none.toml" in lost
    assert "say where with --out" in refused(capsys, "check", photos, "--augment", "randaugment")


def test_version_names_what_is_installed(capsys):
    status, out, _ = kcnn(capsys, "--version")
    assert status == 0
    assert [word.split()[0] for word in out.split(", ")] == ["kcnn", "keras", "tensorflow"]
    assert out.startswith("kcnn 0.1.0, ")
