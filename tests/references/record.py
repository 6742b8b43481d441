"""Record the answers of torchvision's and timm's networks (needs torch, torchvision, timm; no other test does).

    python -m tests.references.record [NAME ...]      # such as torchvision/resnet18; without names, all

Each network gets the weights that `draw` makes for its tensors and answers two pictures, scaled by ImageNet's mean
and standard deviation. What is already recorded and not named stays.
"""

import gzip
import json
import sys

import numpy as np
import torch

from tests.references import CLASSES, FILE, SHOWN, answers, draw, pictures

MEAN, STD = np.array([123.675, 116.28, 103.53], "float32"), np.array([58.395, 57.12, 57.375], "float32")

GAINS = dict.fromkeys(("torchvision/efficientnet_v2_s", "timm/tf_efficientnetv2_s"), 1.2)  # 2 for all others
GAINS |= {"timm/legacy_xception": 1.0, "timm/mobilenetv3_large_100": 1.5}
GAINS |= dict.fromkeys(("torchvision/regnet_x_1_6gf", "torchvision/regnet_y_1_6gf"), 1.0)

# the program and its name: (our name, side of the pictures)
NETWORKS = {
    "torchvision/resnet18": ("resnet18", 64),
    "torchvision/resnet50": ("resnet50", 64),
    "torchvision/resnext50_32x4d": ("resnext50_32x4d", 64),
    "torchvision/vgg11": ("vgg11", 224),
    "torchvision/vgg11_bn": ("vgg11_bn", 224),
    "torchvision/alexnet": ("alexnet_owt", 224),
    "torchvision/googlenet": ("googlenet_torchvision", 96),
    "torchvision/densenet121": ("densenet121", 64),
    "torchvision/mobilenet_v2": ("mobilenet_v2", 64),
    "torchvision/mobilenet_v3_small": ("mobilenet_v3_small", 64),
    "torchvision/mobilenet_v3_large": ("mobilenet_v3_large", 64),
    "torchvision/shufflenet_v2_x1_0": ("shufflenet_v2_x1_0", 64),
    "torchvision/efficientnet_b0": ("efficientnet_b0", 64),
    "torchvision/efficientnet_v2_s": ("efficientnet_v2_s", 64),
    "torchvision/convnext_tiny": ("convnext_tiny", 64),
    "torchvision/inception_v3": ("inception_v3", 107),
    "torchvision/regnet_x_1_6gf": ("regnetx_016", 64),
    "torchvision/regnet_y_1_6gf": ("regnety_016", 64),
    "torchvision/swin_t": ("swin_tiny", 224),
    "torchvision/vit_b_16": ("vit_base16", 224),
    "timm/resnet18": ("resnet18", 64),
    "timm/densenet121": ("densenet121", 64),
    "timm/vgg11_bn": ("vgg11_bn", 224),
    "timm/inception_v3": ("inception_v3", 107),
    "timm/mobilenetv2_100": ("mobilenet_v2", 64),
    "timm/mobilenetv3_large_100": ("mobilenet_v3_large", 64),
    "timm/swin_tiny_patch4_window7_224": ("swin_tiny", 224),
    "timm/tf_efficientnetv2_s": ("efficientnet_v2_s", 64),
    "timm/tf_efficientnet_b0": ("efficientnet_b0", 64),
    "timm/tf_efficientnet_lite0": ("efficientnet_lite0", 64),
    "timm/convnext_tiny": ("convnext_tiny", 64),
    "timm/regnetx_002": ("regnetx_002", 64),
    "timm/regnety_004": ("regnety_004", 64),
    "timm/ghostnet_100": ("ghostnet", 64),
    "timm/vit_tiny_patch16_224": ("vit_tiny16", 224),
    "timm/mobilenetv1_100": ("mobilenet", 64),
    "timm/legacy_xception": ("xception", 107),
    "timm/coatnet_0_224": ("coatnet_0", 224),
}


def network(name):
    """The untrained network of that name, in evaluation mode."""
    program, own = name.split("/")
    if program == "torchvision":
        import torchvision

        extra = {"aux_logits": False, "init_weights": False} if own in ("googlenet", "inception_v3") else {}
        return getattr(torchvision.models, own)(weights=None, num_classes=CLASSES, **extra).eval()
    import timm

    return timm.create_model(own, pretrained=False, num_classes=CLASSES).eval()


@torch.no_grad()
def record(name):
    """What stands in the file for one network."""
    (ours, side), gain = NETWORKS[name], GAINS.get(name, 2.0)
    net = network(name)
    state = {key: list(value.shape) for key, value in net.state_dict().items()}
    shapes = {key: shape for key, shape in state.items() if not key.endswith(("num_batches_tracked", "position_index"))}
    drawn = {key: torch.from_numpy(value) for key, value in draw(shapes, gain).items()}
    found = net.load_state_dict(drawn, strict=False)
    left = [key for key in found.missing_keys if not key.endswith(("num_batches_tracked", "position_index"))]
    if left or found.unexpected_keys:
        raise SystemExit(f"{name}: {left}")
    x = torch.from_numpy((pictures(side) - MEAN) / STD).permute(0, 3, 1, 2)
    logits = net(x).numpy()
    rounding = np.abs(net.double()(x.double()).numpy() - logits).max() / logits.std()
    if rounding > 2e-4:
        raise SystemExit(f"{name}: float32 is off by {rounding:.2g}: choose another gain")
    spread = np.abs(logits[0] - logits[1]).mean() / logits.std()
    sys.stdout.write(f"{name}: {len(shapes)} tensors, logits std {logits.std():.3g}, pictures differ by {spread:.2g}\n")
    return {"ours": ours, "side": side, "gain": gain, "shapes": shapes, "logits": logits[:, :SHOWN].tolist()}


def main(names):
    """Record the named networks and write the file."""
    found = answers() if FILE.exists() else {}
    found |= {name: record(name) for name in names or NETWORKS}
    FILE.write_bytes(gzip.compress(json.dumps(dict(sorted(found.items()))).encode(), mtime=0))


if __name__ == "__main__":
    main(sys.argv[1:])
