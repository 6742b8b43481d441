"""PyTorch's side of train_step: the best of float32 and bfloat16, each with and without channels last.

Its wish: {"name": a torchvision model, "side", "batch"}.
"""

import contextlib
import itertools

from tests.benchmarks import _serving


def prepare(wish):
    """Training steps with SGD and momentum on one repeated batch, in the way that a step of each found fastest."""
    import torch
    import torchvision

    size = (wish["batch"], 3, wish["side"], wish["side"])
    image, target = torch.rand(size) * 255, torch.randint(1000, (wish["batch"],))

    def way(dtype, layout):
        model = getattr(torchvision.models, wish["name"])().train().to(memory_format=layout)
        seen = image.contiguous(memory_format=layout)
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

        def run(steps):
            for _ in range(steps):
                low = torch.autocast("cpu", dtype) if dtype is not torch.float32 else contextlib.nullcontext()
                with low:
                    loss = torch.nn.functional.cross_entropy(model(seen), target)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()

        return run

    kinds = itertools.product((torch.float32, torch.bfloat16), (torch.contiguous_format, torch.channels_last))
    ways = {f"{dtype}, {layout}".replace("torch.", ""): way(dtype, layout) for dtype, layout in kinds}
    times = {kind: _serving.here(run)(1, untimed=1).seconds for kind, run in ways.items()}
    best = min(times, key=times.get)
    return ways[best], best


if __name__ == "__main__":
    _serving.serve(prepare)
