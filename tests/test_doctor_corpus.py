"""Some six hundred pictures as people have them: one verdict each, the same for doctor, check and training."""

import hashlib

import numpy as np
import pytest

import kcnn
from kcnn import data, doctor
from kcnn.recipe import Data
from tests.spoiled import corpus, encode, picture

SET_ASIDE = ("unreadable", "truncated", "too_large")


def digests(folder):
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def files():
    return corpus()


@pytest.fixture(scope="module")
def folder(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    for i, (name, (content, *_)) in enumerate(sorted(files.items())):
        (folder / "ab"[i % 2]).mkdir(exist_ok=True)
        (folder / "ab"[i % 2] / name).write_bytes(content)
    return folder


def test_every_file_has_one_verdict_and_no_file_is_changed(files, folder):
    assert len(files) >= 600
    before = digests(folder)
    dataset = data.load(folder, Data(validation=0))
    found, checked = doctor.diagnose(dataset, Data()), data.check(dataset, Data())
    verdicts, marks = dict.fromkeys(files, "ok"), {name: set() for name in files}
    for finding in found.findings:
        for case in finding.cases:
            for shown in case.pictures:
                name = shown.name.split("/")[1]
                marks[name].add(finding.kind)
                if finding.kind in SET_ASIDE:
                    assert verdicts[name] == "ok", f"{name} has two verdicts"
                    verdicts[name] = finding.kind
    for name, (_, verdict, wanted) in files.items():
        allowed = {"bad": {"unreadable", "truncated"}, None: {"ok", "unreadable", "truncated"}}.get(verdict, {verdict})
        assert verdicts[name] in allowed, (name, verdicts[name])
        assert set(wanted) <= marks[name], (name, marks[name])
    aside = [(case.pictures[0].name, case.detail) for kind in SET_ASIDE for case in found.of(kind)]
    assert sorted(aside) == sorted(checked.set_aside)
    stream = data.batches(checked.splits["train"], (24, 24, 3), 50, training=False, num_classes=2)
    assert sum((batch["index"].numpy() >= 0).sum() for batch in stream) == found.readable
    assert digests(folder) == before


def test_training_survives_a_tenth_of_bad_files_and_the_quarantine_names_them(files, tmp_path):
    photos = tmp_path / "photos"
    for i in range(90):
        (photos / "xy"[i % 2]).mkdir(parents=True, exist_ok=True)
        (photos / "xy"[i % 2] / f"{i}.png").write_bytes(encode(picture((20, 20), seed=i), "PNG"))
    bad = [name for name, (_, verdict, _) in files.items() if verdict in ("bad", "too_large")]
    bad = [bad[i] for i in np.linspace(0, len(bad) - 1, 10).astype(int)]
    for i, name in enumerate(bad):
        (photos / "xy"[i % 2] / name).write_bytes(files[name][0])
    before = digests(photos)
    found = kcnn.diagnose_data(photos, out=tmp_path / "out")
    assert {name.split("/")[1] for name, _ in found.quarantine} == set(bad)
    settings = {"architecture": "resnet_toy", "epochs": 1, "batch_size": 16, "runs": str(tmp_path / "runs")}
    run = kcnn.build_and_fit(source=photos, **settings)
    assert run.status["state"] == "finished" and len(run.facts.set_aside) == 10
    assert sum(run.facts.split_sizes.values()) == 90
    filtered = kcnn.check_data(photos, quarantine=str(tmp_path / "out" / "quarantine.csv"))
    assert not filtered.set_aside and sum(map(len, filtered.splits.values())) == 90
    assert filtered.fingerprint != run.facts.fingerprint and "10 pictures are left out" in filtered.notes[0]
    assert digests(photos) == before
