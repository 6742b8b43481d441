"""The same seed gives the same bits, within one process and from process to process, and another seed others."""

import json

import numpy as np
import pytest

from tests.crash.harness import OPTIONS, write_data


@pytest.fixture
def hashes(tmp_path, nursery):
    """function (seeds, name) → the sha256 of all weights that each training of a child ended with."""
    write_data(tmp_path / "data.npz")
    options = OPTIONS | {"runs": str(tmp_path), "data.source": str(tmp_path / "data.npz"), "epochs": 1}

    def trained(seeds, name):
        answer = tmp_path / f"{name}.json"
        assert nursery.do("repeat", options=options, seeds=seeds, answer=str(answer)) == 0, nursery.said()
        return json.loads(answer.read_text())

    return trained


def test_one_seed_gives_the_same_bits_and_another_others(hashes):
    first, other, again = hashes([0, 1, 0], "one")
    assert first == again == hashes([0], "two")[0] and first != other


@pytest.mark.slow
def test_twenty_repeats_of_one_seed_give_one_hash(hashes):
    told = hashes([0] * 20 + [1], "many")
    assert len(told) == 21 and len(set(told[:20])) == 1 and told[20] != told[0]


@pytest.mark.slow
def test_building_and_fitting_a_hundred_times_takes_no_more_memory(tmp_path, nursery):
    write_data(tmp_path / "data.npz")
    options = OPTIONS | {"runs": str(tmp_path), "data.source": str(tmp_path / "data.npz"), "epochs": 1}
    options |= {"deterministic": False, "checkpoint_minutes": 5.0}
    assert nursery.do("remember", options=options, times=100, answer=str(tmp_path / "mib.json")) == 0, nursery.said()
    mib = json.loads((tmp_path / "mib.json").read_text())
    slope = np.polyfit(np.arange(50), mib[50:], 1)[0]
    assert slope < 0.5, f"{slope:.2f} MiB a run"
