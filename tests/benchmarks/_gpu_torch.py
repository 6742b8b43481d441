"""PyTorch's side of gpu: torchvision's network, channels last, bfloat16 by autocast, compiled."""

from tests.benchmarks import _serving


def prepare(wish):
    """Training steps with SGD and momentum on one repeated batch."""
    import torch
    import torchvision

    device = {"gpu": "cuda"}.get(wish["device"], wish["device"])
    if device == "cuda" and not torch.cuda.is_available():
        raise _serving.Missing("torch finds no gpu here")
    torch.backends.cudnn.benchmark = True
    size = (wish["batch"], 3, wish["side"], wish["side"])
    model = getattr(torchvision.models, wish["name"])(num_classes=wish["classes"]).train()
    model = model.to(device, memory_format=torch.channels_last)
    image = (torch.rand(size) * 255).to(device, memory_format=torch.channels_last)
    target = torch.randint(wish["classes"], (wish["batch"],), device=device)
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    compiled = torch.compile(model) if wish["compile"] else model

    def run(steps):
        for _ in range(steps):
            with torch.autocast(device, torch.bfloat16):
                loss = torch.nn.functional.cross_entropy(compiled(image), target)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        loss.item()  # which waits for the device

    run(2)
    where = torch.cuda.get_device_name() if device == "cuda" else device
    way = f"torch {torch.__version__}, {'compiled' if wish['compile'] else 'not compiled'}, channels last"
    return run, f"{way}, autocast to bfloat16, {where}"


if __name__ == "__main__":
    _serving.serve(prepare)
