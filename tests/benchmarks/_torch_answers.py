"""PyTorch's side of inference: torchvision's network, compiled by nothing, in inference mode and channels last.

Its wish: {"name": a torchvision model, "side", "batch"}.
"""

from tests.benchmarks import _serving


def prepare(wish):
    """Answers to one repeated batch."""
    import torch
    import torchvision

    model = getattr(torchvision.models, wish["name"])().eval().to(memory_format=torch.channels_last)
    images = torch.rand(wish["batch"], 3, wish["side"], wish["side"]).contiguous(memory_format=torch.channels_last)

    def run(times):
        with torch.inference_mode():
            for _ in range(times):
                model(images)

    return run, f"torch {torch.__version__}"


if __name__ == "__main__":
    _serving.serve(prepare)
