"""Large folders are streamed: what a further picture costs in memory is a few kilobytes, whatever its size."""

import subprocess
import sys

import pytest

from tests.spoiled import encode, scene

CODE = """
import resource, sys
from kcnn import data, doctor
from kcnn.recipe import Data
found = data.load(sys.argv[1], Data(validation=0))
part = found.splits["train"].take(slice(int(sys.argv[2])))
told = doctor.diagnose(data.DataSet({"train": part}, found.class_names, False, "x"), Data())
sys.stdout.write(f"{told.readable} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}")
"""


def peak(folder, count):
    """Kilobytes that a process held at most while it examined `count` pictures."""
    done = subprocess.run([sys.executable, "-c", CODE, folder, str(count)], capture_output=True, text=True, check=True)
    readable, kilobytes = map(int, done.stdout.split()[-2:])
    assert readable == count
    return kilobytes


@pytest.mark.slow
def test_memory_grows_by_a_few_kilobytes_a_picture(tmp_path):
    for label in ("x", "y"):
        (tmp_path / label).mkdir()
    for seed in range(400):  # pictures of 270 kB each once decoded, 30 files of each
        content = encode(scene(seed, (350, 260)), "JPEG")
        for copy in range(30):
            (tmp_path / "xy"[seed % 2] / f"{copy:02}-{seed:03}.jpg").write_bytes(content + bytes([copy]) * copy)
    few, many = peak(tmp_path, 2000), peak(tmp_path, 12_000)
    assert (many - few) / 10_000 < 8, f"{(many - few) / 10_000:.1f} kB a picture"
