"""A real disk that is too small: kcnn in a private tmpfs, which is then made larger, and the same command goes on."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kcnn.run_folder import RunFolder
from tests.crash.harness import differences, final_state, write_data

ROOT = Path(__file__).parents[1]
PRIVATE = ("unshare", "--user", "--map-root-user", "--mount")
SCRIPT = """
mount -t tmpfs -o size=$1 none "$2/disk"
"$3" -m kcnn fit --data "$2/data.npz" --architecture simple_cnn_toy --epochs 3 --name r --set train.batch_size=8 \
  --set train.ema=0.9 --set runtime.deterministic=true --set runtime.runs="$2/disk/runs"
status=$?
mount -o remount,size=100m "$2/disk"
[ $status = 0 ] || [ ! -d "$2/disk/runs/r" ] || "$3" -m kcnn resume "$2/disk/runs/r" || exit 3
cp -r "$2/disk/runs" "$2/runs"
exit $status
"""
SHARES = (0.02, 0.2, 0.4, 0.6, 0.8, 0.95)

pytestmark = pytest.mark.slow


def train(folder, size):
    """(status of `kcnn fit` on a disk of `size` bytes, what was said there and by `kcnn resume` with more room)."""
    (folder / "disk").mkdir()
    write_data(folder / "data.npz")
    command = [*PRIVATE, "bash", "-c", SCRIPT, "bash", str(size), str(folder), sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run folder of a training with room enough."""
    if not shutil.which("unshare") or subprocess.run([*PRIVATE, "true"], check=False).returncode:
        pytest.skip("needs the right to mount a file system of its own (unshare --user --mount)")
    folder = tmp_path_factory.mktemp("whole")
    status, told = train(folder, 100_000_000)
    assert status == 0, told
    return RunFolder(folder / "runs" / "r")


@pytest.mark.parametrize("share", SHARES)
def test_a_training_on_a_disk_too_small_stops_in_one_line_and_goes_on_with_room(tmp_path, whole, share):
    pages = sum(-(-file.stat().st_size // 4096) for file in whole.path.rglob("*"))
    status, told = train(tmp_path, int(share * pages) * 4096)
    assert status == 2 and "Traceback" not in told, told
    assert sum("No space left on device; free space" in line for line in told.splitlines()) == 1, told
    made = RunFolder(tmp_path / "runs" / "r")
    assert not made.path.exists() or differences(final_state(made), final_state(whole)) == []
