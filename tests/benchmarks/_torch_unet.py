"""PyTorch's side of segmentation: the U-Net of segmentation_models.pytorch, as it comes.

Its wish: {"encoder", "side", "batch", "classes"}.
"""

from tests.benchmarks import _serving


def prepare(wish):
    """Training steps with AdamW and cross-entropy on one repeated batch, in float32."""
    import segmentation_models_pytorch as smp
    import torch

    shape = (wish["batch"], wish["side"], wish["side"])
    image, target = torch.rand((shape[0], 3, *shape[1:])), torch.randint(wish["classes"], shape)
    model = smp.Unet(wish["encoder"], encoder_weights=None, classes=wish["classes"]).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

    def run(steps):
        for _ in range(steps):
            loss = torch.nn.functional.cross_entropy(model(image), target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    return run, f"segmentation_models.pytorch {smp.__version__}, PyTorch {torch.__version__}, float32"


if __name__ == "__main__":
    _serving.serve(prepare)
