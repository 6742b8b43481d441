"""PyTorch's side of train_step, in a process of its own: it and TensorFlow cannot always be loaded together.

Started with JSON {"name": a torchvision model, "side", "batch"}; it finds the best of float32 and bfloat16, each with
and without channels last, says which, and for each number of steps on its standard input answers with the seconds, by
the clock and of processor time, that they took.
"""

import contextlib
import itertools
import json
import subprocess
import sys
import time


def start(**wish):
    """(function (steps) -> (seconds, processor seconds), its best way in words); None where PyTorch is missing."""
    command = [sys.executable, "-m", "tests.benchmarks._torch_step", json.dumps(wish)]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    best = child.stdout.readline().strip()
    if not best:
        return None

    def run(steps):
        child.stdin.write(f"{steps}\n")
        child.stdin.flush()
        return json.loads(child.stdout.readline())

    return run, best


def main(wish):
    """Answer the parent until it closes the pipe."""
    try:
        import torch
        import torchvision
    except (ImportError, RuntimeError):
        return
    size = (wish["batch"], 3, wish["side"], wish["side"])
    image, target = torch.rand(size) * 255, torch.randint(1000, (wish["batch"],))

    def way(dtype, layout):
        model = getattr(torchvision.models, wish["name"])().train().to(memory_format=layout)
        seen = image.contiguous(memory_format=layout)
        optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)

        def run(steps):
            began, worked = time.perf_counter(), time.process_time()
            for _ in range(steps):
                low = torch.autocast("cpu", dtype) if dtype is not torch.float32 else contextlib.nullcontext()
                with low:
                    loss = torch.nn.functional.cross_entropy(model(seen), target)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            return time.perf_counter() - began, time.process_time() - worked

        return run

    kinds = itertools.product((torch.float32, torch.bfloat16), (torch.contiguous_format, torch.channels_last))
    ways = {f"{dtype}, {layout}".replace("torch.", ""): way(dtype, layout) for dtype, layout in kinds}
    times = {kind: [run(1), run(1)][1] for kind, run in ways.items()}
    best = min(times, key=times.get)
    print(best, flush=True)
    for line in sys.stdin:
        print(json.dumps(ways[best](int(line))), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
