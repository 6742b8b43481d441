"""Benchmarks that need a machine of their own: whether they would run there."""

import json

import pytest

from tests.benchmarks import gpu


@pytest.mark.slow
def test_the_benchmark_of_graphics_cards_measures_what_is_there_and_names_what_is_not(capsys, tmp_path):
    words = ["--device", "cpu", "--rounds", "1", "--steps", "1", "--side", "32", "--only", "mobilenet_v2"]
    status = gpu.main([*words, "--out", str(tmp_path / "gpu.json")])
    row = json.loads((tmp_path / "gpu.json").read_text())["rows"]["mobilenet_v2"]
    said = capsys.readouterr().out
    assert row["pictures_per_second"]["kcnn"] > 0 and "jitted, mixed bfloat16" in row["ways"]["kcnn"]
    assert status == (row["ratio"] is None) and ("torch" in row["pictures_per_second"]) == (status == 0)
    assert status == 0 or f"torch: missing: {row['ways']['torch']}" in said
