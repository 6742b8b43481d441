"""Wang et al. 2017 report 99.3 % on GunPoint: three seeds of the recipe come within two points of it on average."""

import statistics

import pytest

import kcnn
from tests.gunpoint import write_gunpoint

REPORTED = 0.993


@pytest.mark.slow
def test_three_seeds_come_near_the_paper(tmp_path):
    source = str(write_gunpoint(tmp_path))
    scores = []
    for seed in range(3):
        settings = {"runtime.runs": str(tmp_path), "seed": seed, "source": source}
        run = kcnn.build_and_fit("classify/gunpoint", name=f"seed{seed}", **settings)
        scores.append(run.splits["test"]["accuracy"])
    assert statistics.mean(scores) > REPORTED - 0.02, scores
