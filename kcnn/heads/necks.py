"""Necks: from the levels of a family to maps of one width that know of each other.

Lin et al. 2017, Feature pyramid networks (FPN); Liu et al. 2018, Path aggregation network (PAN).
"""

from dataclasses import replace

import keras

from kcnn.layers import concatenate, conv_norm_act, convolve, enlarge


def fpn(levels, names, filters, style, deeper=()):
    """{"p3": (B, h, w, filters), ...} of the levels `names`, finest first, each with what the coarser ones see.

    deeper: numbers of further maps, each a strided 3x3 convolution of the one before.
    """
    image, x, found = levels["image"], None, {}
    style = replace(style, activation="linear")  # nothing follows its convolutions: they start at a gain of 1
    for name in reversed(names):
        number = int(name[1:])
        own = convolve(levels[name], filters, 1, bias=True, style=style, name=f"lateral_{number}")
        if x is not None:
            x = enlarge(x, image, 2, strides=1 << number, name=f"lateral_{number}_enlarge")
            own = keras.layers.Add(name=f"lateral_{number}_add")([own, x])
        x = own
        found[f"p{number}"] = convolve(x, filters, 3, bias=True, style=style, name=f"p{number}")
    found = dict(reversed(found.items()))
    x = found[f"p{int(names[-1][1:])}"]
    for number in deeper:
        x = found[f"p{number}"] = convolve(x, filters, 3, strides=2, bias=True, style=style, name=f"p{number}")
        x = keras.layers.Activation("relu", name=f"p{number}_act")(x)
    return found


def pan(levels, names, filters, style):
    """{"p3": (B, h, w, filters), ...} of the levels `names`, finest first: down the pyramid, and up again.

    Maps meet side by side, and a 3x3 convolution joins them.
    """
    image, down = levels["image"], {}
    x = None
    for name in reversed(names):
        number = int(name[1:])
        own = conv_norm_act(levels[name], filters, 1, style=style, name=f"neck_{number}")
        if x is not None:
            x = enlarge(x, image, 2, strides=1 << number, name=f"neck_{number}_enlarge")
            own = concatenate([own, x], f"neck_{number}_concat")
            own = conv_norm_act(own, filters, 3, style=style, name=f"neck_{number}_down")
        x = down[number] = own
    found, x = {}, None
    for number in sorted(down):
        own = down[number]
        if x is not None:
            x = conv_norm_act(x, filters, 3, strides=2, style=style, name=f"neck_{number}_shrink")
            own = concatenate([own, x], f"neck_{number}_up_concat")
            own = conv_norm_act(own, filters, 3, style=style, name=f"neck_{number}_up")
        x = found[f"p{number}"] = own
    return found
