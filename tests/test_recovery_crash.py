"""Killed anywhere, a training resumes to the same bits: a few kills of `python -m tests.crash`, and twenty as slow."""

import shutil

import pytest

from tests.crash.harness import FAULTS, Harness, newest_step

EARLY = 5  # of ten steps
STRIKES = [("write", 7), ("epoch end", 2), ("fsync", 2), ("replaced", 1), ("report", 3)]


@pytest.fixture(scope="module")
def harness(nursery, tmp_path_factory):
    return Harness(tmp_path_factory.mktemp("crash"), nursery)


def test_a_run_killed_again_and_again_ends_in_the_same_bits(harness):
    folder = harness.folder / "runs" / "often"
    while not harness.strike("often", "instant", 0) or newest_step(folder) > EARLY:
        shutil.rmtree(folder)  # on a busy machine the killer may come late
    for where, at in STRIKES:
        assert harness.strike("often", where, at), f"it ended before {where} {at}"
    assert harness.finish("often") == []
    assert "not bit-identical" not in harness.nursery.said()


def test_the_comparison_sees_a_difference(harness):
    other = harness.state | {"tensor model/0": b"", "history": []}
    from tests.crash.harness import differences

    assert differences(harness.state, other) == ["history", "tensor model/0"]
    assert {"tensor optimizer/3", "tensor average/0", "tensor sums", "best.safetensors"} < set(harness.state)


@pytest.mark.slow
def test_twenty_kills_twenty_exact_resumes(harness):
    trials = [harness.trial(number) for number in range(20)]
    assert [trial["differs"] for trial in trials] == [[]] * 20
    assert sum(trial["checkpoint"] > 0 for trial in trials) >= 16
    assert {trial["where"] for trial in trials} >= set(FAULTS[:5])
