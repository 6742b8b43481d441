"""torchvision's side of a benchmark, in a process of its own: it and TensorFlow cannot always be loaded together.

It is started with JSON {"transform": an expression in v2, "files": [...] or "values": a .npy, "batch", "batches",
"workers"}; for each line on its standard input it draws so many batches and answers with the seconds that took.
"""

import json
import os
import subprocess
import sys
import time

MISSING = "torchvision is not installed"


def start(**wish):
    """A function () -> seconds for so many batches; None where torchvision is not installed."""
    wish.setdefault("workers", os.cpu_count())
    command = [sys.executable, "-m", "tests.benchmarks._torchvision", json.dumps(wish)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if child.stdout.readline().strip() != "ready":
        return None

    def run():
        child.stdin.write("go\n")
        child.stdin.flush()
        return float(child.stdout.readline())

    run.stop = child.kill
    return run


def main(wish):
    """Answer the parent until it closes the pipe."""
    try:
        import numpy as np
        import torch
        from PIL import Image
        from torchvision.transforms import v2
    except (ImportError, RuntimeError):
        return print(MISSING, flush=True)
    transform = eval(wish["transform"], {"v2": v2})
    values = np.load(wish["values"]) if "values" in wish else None
    to_tensor = v2.PILToTensor()

    class Pictures(torch.utils.data.Dataset):
        def __len__(self):
            return wish["batch"] * wish["batches"]

        def __getitem__(self, i):
            if values is not None:
                return transform(torch.from_numpy(values[i % len(values)]).permute(2, 0, 1))
            path = wish["files"][i % len(wish["files"])]
            return to_tensor(transform(Image.open(path).convert("RGB")))

    loader = torch.utils.data.DataLoader(
        Pictures(), wish["batch"], num_workers=wish["workers"], persistent_workers=True
    )
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        for _ in loader:
            pass
        print(time.perf_counter() - began, flush=True)
    return None


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
