"""DenseNets in the files of torchvision, timm and keras.applications."""

from kcnn.pretrained.layouts import layout

TORCHVISION = {"stem": "conv0", "stem_norm": "norm0", "final_norm": "norm5"}
TORCHVISION_PARTS = {"before": "norm1", "reduce": "conv1", "reduce_norm": "norm2", "spatial": "conv2"}
KERAS = {"stem": "conv1_conv", "stem_norm": "conv1_bn", "final_norm": "bn", "logits": "predictions"}
KERAS_PARTS = {"before": "0_bn", "reduce": "1_conv", "reduce_norm": "1_bn", "spatial": "2_conv"}
PUBLISHED = {"stem": "conv1/conv", "stem_norm": "conv1/bn", "logits": "fc1000"}


@layout("densenet", "torchvision", "timm", style={"epsilon": 1e-5})
def torchvision(layer, row):
    if layer == "logits":
        return "classifier"
    if layer in TORCHVISION:
        return f"features.{TORCHVISION[layer]}"
    stage, block, part = _parts(layer)
    if block == "transition":
        return f"features.transition{stage - 2}.{'norm' if part else 'conv'}"
    return f"features.denseblock{stage - 1}.denselayer{block}.{TORCHVISION_PARTS[part]}"


@layout("densenet", "keras")
def keras(layer, row):
    if layer in KERAS:
        return KERAS[layer]
    stage, block, part = _parts(layer)
    if block == "transition":
        return f"pool{stage - 1}_{'bn' if part else 'conv'}"
    return f"conv{stage}_block{block}_{KERAS_PARTS[part]}"


# The published files are older than these names.
@layout("densenet", "keras", variants=("densenet121", "densenet169", "densenet201"))
def published(layer, row):
    return PUBLISHED.get(layer) or keras(layer, row)


def _parts(layer):
    """(stage, block or "transition", part) of a layer: "c2_1_before_norm" is (2, "1", "before")."""
    stage, block, *part = layer[1:].split("_")
    if part and part[0] == "before":
        part = ["before"]
    return int(stage), block, "_".join(part)
