"""All families at the same cost: one network of each learns Fashion-MNIST for equal processor time, from scratch.

    python -m tests.equal_budget [--seconds 90] [NAME ...]

Each network trains in a process of its own for so many processor seconds, in one sweep of a one-cycle schedule over as
many of the 60 000 pictures, or as many times, as it manages; it is then scored on the 10 000 test pictures. It has its
published stem and top and sees the pictures enlarged to 32 pixels, the least that all of them take. Results go to
tests/equal_budget.json, which README's shelf shows. It needs the data set (`TFDS_DATA_DIR`).
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")
NETWORKS = (
    *("lenet5", "alexnet_owt", "vgg11_bn", "googlenet_bn", "inception_v3", "resnet18", "resnet20", "plain20"),
    *("resnet50v2", "resnext50_32x4d", "densenet121", "resnet_wang", "xception", "mobilenet", "shufflenet_g3"),
    *("nasnet_mobile", "mobilenet_v2", "shufflenet_v2_x1_0", "mobilenet_v3_small", "efficientnet_lite0", "ghostnet"),
    *("regnety_002", "vit_tiny16", "swin_tiny", "coatnet_0", "convnext_tiny", "simple_cnn"),
)
PICTURES, BATCH = 60_000, 64
RECIPE = {
    "data": {"source": "tfds:fashion_mnist", "validation": 0.0, "image_size": 32},
    "model": {"top": "own"},
    "augment": {"flip_horizontal": 0.5, "translation": 0.05},
    "train": {"batch_size": BATCH, "learning_rate": 2e-3, "schedule": "one_cycle", "weight_decay": 0.02},
    "runtime": {"precision": "float32"},
}


def measure(name, seconds):
    """{"accuracy", "steps", "seconds"} of one network after so many processor seconds of training."""
    import kcnn
    from kcnn.architectures import ARCHITECTURES

    chosen = {"architecture": name, "model.stem": ARCHITECTURES[name].row.stem}
    steps = max(2, int(seconds / _seconds_a_step(chosen)))
    epochs = math.ceil(steps * BATCH / PICTURES)
    limit = BATCH * (steps // epochs)
    with tempfile.TemporaryDirectory() as runs:
        run = kcnn.build_and_fit(RECIPE, name="run", epochs=epochs, limit=limit, **chosen, **{"runtime.runs": runs})
        return {"accuracy": run.splits["test"]["accuracy"], "steps": int(run.history[-1]["step"])}


def _seconds_a_step(chosen):
    """Processor seconds of one step of training, its data included."""
    from kcnn import api, session

    recipe, _ = api.resolve(RECIPE, settings={**chosen, "limit": 64 * BATCH})
    fitting = session.make_fitting(session.prepare(recipe), watched=False)
    fitting.open()
    for _ in range(2):
        fitting.take_step()
    began, count = time.process_time(), 0
    while count < 4 or time.process_time() - began < 6:
        fitting.take_step()
        count += 1
    return (time.process_time() - began) / count


def main(arguments=None):
    """Measure the named networks, or all, one after another, and put each result into the file as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--seconds", type=float, default=90)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.one:
        return print(json.dumps(measure(given.names[0], given.seconds)))
    found = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {"seconds": given.seconds, "networks": {}}
    if found["seconds"] != given.seconds:
        raise SystemExit(f"{FILE.name} has results at {found['seconds']:g} seconds: delete it, or measure at as many")
    for name in given.names or NETWORKS:
        words = [sys.executable, "-m", "tests.equal_budget", name, "--one", "--seconds", str(given.seconds)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name}: {done.stderr[-2000:]}")
        found["networks"][name] = json.loads(done.stdout.splitlines()[-1])
        FILE.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        print(name, found["networks"][name], flush=True)
    return None


if __name__ == "__main__":
    main()
