"""torchvision's side of a benchmark: batches drawn from one endless loader with as many processes as cores.

Its wish: {"transform": an expression in v2, "files": [...] or "values": a .npy, "batch"}.
"""

import os

from tests.benchmarks import _serving

ENDLESS = 1 << 40  # pictures


def prepare(wish):
    """Draw so many batches."""
    import numpy as np
    import torch
    from PIL import Image
    from torchvision.transforms import v2

    transform = eval(wish["transform"], {"v2": v2})
    values = np.load(wish["values"]) if "values" in wish else None
    to_tensor = v2.PILToTensor()

    class Pictures(torch.utils.data.Dataset):
        def __len__(self):
            return ENDLESS

        def __getitem__(self, i):
            if values is not None:
                return transform(torch.from_numpy(values[i % len(values)]).permute(2, 0, 1))
            path = wish["files"][i % len(wish["files"])]
            return to_tensor(transform(Image.open(path).convert("RGB")))

    cores = os.cpu_count()
    drawn = iter(torch.utils.data.DataLoader(Pictures(), wish["batch"], num_workers=cores))

    def run(batches):
        for _ in range(batches):
            next(drawn)

    return run, f"torch {torch.__version__}, {cores} loader processes"


if __name__ == "__main__":
    _serving.serve(prepare)
