"""Pictures of one group are never split, and the shares and classes are kept as well as groups allow."""

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcnn import data
from kcnn.data.samples import Encoded, Samples, as_strings, numbered
from kcnn.data.splits import hold_out
from kcnn.errors import UserError
from kcnn.recipe import Data


def samples(labels):
    return Samples(Encoded(as_strings([b""] * len(labels))), np.array(labels, np.int32), numbered(len(labels)))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=80), st.floats(0.05, 0.9))
def test_no_group_is_torn_and_the_share_is_near(rows, share):
    labels, groups = [k for k, _ in rows], as_strings([f"g{g}" if g else "" for _, g in rows])
    held = hold_out(samples(labels), share, 0, "val", groups)
    largest = 1
    for group in set(groups.tolist()) - {""}:
        mine = held[groups == group]
        assert mine.all() or not mine.any()
        largest = max(largest, len(mine))
    for k in set(labels):
        assert not held[np.array(labels) == k].all(), "no class leaves training"
    assert held.sum() <= share * len(rows) + largest


def test_groups_of_one_are_split_as_pictures_are():
    labels = np.arange(300) % 3
    held = hold_out(samples(labels), 0.2, 7, "val", as_strings([f"g{i}" for i in range(300)]))
    assert [held[labels == k].sum() for k in range(3)] == [20, 20, 20]


def test_adding_a_group_leaves_most_others_where_they_were():
    groups = [f"g{i // 4}" for i in range(400)]
    fewer = hold_out(samples([0, 1] * 200), 0.2, 0, "val", as_strings(groups))
    more = hold_out(samples([0, 1] * 202), 0.2, 0, "val", as_strings([*groups, *["new"] * 4]))
    assert (fewer != more[:400]).mean() < 0.1


def write(folder, rows):
    with open(folder / "table.csv", "w", newline="") as file:
        csv.writer(file).writerows([("image", "label", "patient"), *rows])
    return folder / "table.csv"


def test_a_table_is_split_by_its_group_column(tmp_path):
    rows = [(f"{i}.png", "ab"[i % 2], f"p{i // 5}") for i in range(100)]
    options = Data(group_column="patient", validation=0.2, test=0.2)
    found = data.load(write(tmp_path, rows), options, 3)
    patients = {split: set(part.columns["patient"]) for split, part in found.splits.items()}
    assert set(patients) == {"train", "val", "test"} and sum(map(len, patients.values())) == 20
    assert 12 <= len(found.splits["test"]) <= 25 and 10 <= len(found.splits["val"]) <= 25
    loose = data.load(tmp_path / "table.csv", Data(validation=0.2, test=0.2), 3)
    assert sum(len(set(part.columns["patient"])) for part in loose.splits.values()) > 20, "without it groups are torn"
    with pytest.raises(UserError, match="unknown column 'pateint'"):
        data.load(tmp_path / "table.csv", Data(group_column="pateint"), 0)


def test_a_quarantine_is_applied_before_splitting_and_said(tmp_path):
    rows = [(f"{i}.png", "ab"[i % 2], f"p{i // 5}") for i in range(100)]
    whole = data.load(write(tmp_path, rows), Data(), 0)
    (tmp_path / "out.csv").write_text("name,reason\n3.png,blank\n4.png,\ngone.png,deleted since\n")
    kept = data.load(tmp_path / "table.csv", Data(quarantine=str(tmp_path / "out.csv")), 0)
    names = {name for part in kept.splits.values() for name in part.names}
    assert names == {row[0] for row in rows} - {"3.png", "4.png"} and kept.fingerprint != whole.fingerprint
    assert "2 pictures are left out" in kept.notes[0] and "1 names" in kept.notes[1] and "gone.png" in kept.notes[1]
