"""A real disk that is too small: kcnn in a private tmpfs, which is then made larger, and the same command goes on."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.harness import differences, final_state, write_data

ROOT = Path(__file__).parents[1]
PRIVATE = ("unshare", "--user", "--map-root-user", "--mount")
SCRIPT = """
mount -t tmpfs -o size=$1 none "$2/disk"
"$3" -m kcnn fit --data "$2/data.npz" --architecture simple_cnn_toy --epochs 3 --name r --set train.batch_size=8 \
  --set train.ema=0.9 --set runtime.deterministic=true --set runtime.runs="$2/disk/runs"
echo "status $?"
mount -o remount,size=100m "$2/disk"
if [ -d "$2/disk/runs/r" ]; then "$3" -m kcnn resume "$2/disk/runs/r" || exit 3; cp -r "$2/disk/runs/r" "$2/copy"; fi
"""


@pytest.mark.slow
@pytest.mark.parametrize("kib", [10, 100, 350, 450, 520, 600, 650, 700])
def test_a_training_on_a_disk_too_small_stops_in_one_line_and_goes_on_with_room(tmp_path, kib):
    if not shutil.which("unshare") or subprocess.run([*PRIVATE, "true"], check=False).returncode:
        pytest.skip("needs the right to mount a file system of its own (unshare --user --mount)")
    write_data(tmp_path / "data.npz")
    results = [_train(tmp_path / str(size), tmp_path / "data.npz", size) for size in (kib, 100_000)]
    status, told, folder = results[0]
    assert status == 2 and "Traceback" not in told, told
    assert sum("No space left on device; free space" in line for line in told.splitlines()) == 1, told
    if folder:
        assert differences(final_state(folder), final_state(results[1][2])) == []


def _train(folder, data, kib):
    """(status of `kcnn fit`, what was said, the run folder after `kcnn resume`) on a disk of `kib` KiB."""
    from kcnn.run_folder import RunFolder

    (folder / "disk").mkdir(parents=True)
    shutil.copy(data, folder / "data.npz")
    command = [*PRIVATE, "bash", "-c", SCRIPT, "bash", f"{kib}k", str(folder), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode in (0, 1), done.stderr
    copy = RunFolder(folder / "copy") if (folder / "copy").exists() else None
    return int(done.stdout.partition("status ")[2].split()[0]), done.stdout + done.stderr, copy
