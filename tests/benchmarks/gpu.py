"""Training steps on one graphics card: the backend-free rooms of kcnn under JAX, and PyTorch.

    python -m tests.benchmarks gpu [--rounds 7] [--steps 20] [--batch 128] [--side 224] [--only NAME] [--out gpu.json]

SGD with momentum, mixed bfloat16, one repeated batch that lies on the card. JAX compiles the whole step; PyTorch runs
torchvision's network in channels last, by autocast and torch.compile. Rounds alternate between the sides, each of which
is a process of its own; figures are medians over the rounds. What is missing (a card, jax with its plugin, torch,
torchvision) is said in one line. `--device cpu --rounds 1 --steps 1 --side 32` tries the wiring anywhere; there nothing
is learned of speed, and torch.compile is left out, as it takes minutes.
"""

import argparse
import json

from tests.benchmarks import _serving

NETWORKS = ("resnet50", "mobilenet_v2")  # of one name here and in torchvision
CLASSES = 1000
SHARED = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}  # jax would take most of the card, which both sides need


def measure(name, given):
    """A row: pictures a second of each side, how it was run or what it lacks, and their ratio; None without both."""
    wish = {"name": name, "side": given.side, "batch": given.batch, "classes": CLASSES, "device": given.device}
    wish["compile"] = given.device == "gpu"
    with (
        _serving.side("_gpu_jax", wish, KERAS_BACKEND="jax", **SHARED) as kcnn,
        _serving.side("_gpu_torch", wish) as torch,
    ):
        found = {"kcnn": kcnn, "torch": torch}
        runs = {side: run for side, (run, _) in found.items() if run}
        times = _serving.in_turns(runs, given.rounds, given.steps)
    speeds = {side: round(_serving.speed(spent, given.batch * given.steps), 1) for side, spent in times.items()}
    ratio = round(_serving.ratio(times["torch"], times["kcnn"]), 3) if len(times) == 2 else None
    return {"pictures_per_second": speeds, "ways": {side: way for side, (_, way) in found.items()}, "ratio": ratio}


def main(arguments=None):
    """Print the rows, write JSON if asked to; 0 if both sides of every row could be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, help="128 on a card, 4 on a processor")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--only", choices=NETWORKS, action="append")
    parser.add_argument("--out")
    given = parser.parse_args(arguments)
    given.batch = given.batch or (128 if given.device == "gpu" else 4)
    found = {}
    for name in given.only or NETWORKS:
        found[name] = row = measure(name, given)
        for side, way in row["ways"].items():
            speed = row["pictures_per_second"].get(side)
            print(f"{name}  {side}: {f'{speed} pictures/s, {way}' if speed else f'missing: {way}'}", flush=True)
        if row["ratio"]:
            print(f"{name}  kcnn over torch: {row['ratio']:.2f}x", flush=True)
    if given.out:
        with open(given.out, "w", encoding="utf-8") as file:
            json.dump(vars(given) | {"rows": found}, file, indent=1)
    return int(any(row["ratio"] is None for row in found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
