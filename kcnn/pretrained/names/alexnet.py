"""AlexNet in the files of torchvision.

Its fully connected layers fit pictures of 224 pixels (torchvision stretches the last map of others to that size).
"""

from kcnn.pretrained.layouts import layout

TORCHVISION = {"stem": 0, "conv2": 3, "conv3": 6, "conv4": 8, "conv5": 10}
DENSE = {"fc1": 1, "fc2": 4, "logits": 6}


@layout("alexnet", "torchvision", variants=("alexnet_owt",))
def torchvision(layer, row):
    return f"features.{TORCHVISION[layer]}" if layer in TORCHVISION else f"classifier.{DENSE[layer]}"
