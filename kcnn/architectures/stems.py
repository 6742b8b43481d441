"""How pictures enter the nets: stems that several families share, each with its small form."""

from kcnn.layers import conv_norm_act, max_pool


def deep_stem(x, filters, row, make=conv_norm_act):
    """(x, levels so far, level of the first stage): 7x7 and pooling, or 3x3 at stride 1 for small pictures.

    make: the convolution and what follows it, called as `conv_norm_act` is.
    """
    if row.stem == "small":
        return make(x, filters, 3, style=row.style, name="stem"), {}, 0
    x = make(x, filters, 7, strides=2, style=row.style, name="stem")
    return max_pool(x, 3, strides=2, padding=row.style.padding, name="stem_pool"), {"c1": x}, 2


def light_stem(x, filters, row):
    """(x, levels so far): 3x3 at stride 2, or at stride 1 for small pictures."""
    small = row.stem == "small"
    x = conv_norm_act(x, filters, 3, strides=1 if small else 2, style=row.style, name="stem")
    return x, {"c0" if small else "c1": x}
