"""Style: what all blocks of one network share, stated once on its row and passed once."""

from dataclasses import dataclass

import keras

from kcnn.errors import UserError, unknown_name

FROZEN = "frozen_batch"
NORMS = ("batch", "sync_batch", FROZEN, "group", "layer", "instance", "none")
PADDINGS = ("same", "symmetric", "reflect", "replicate")
ACTIVATIONS = (
    *("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "swish", "hard_swish", "hard_silu"),
    *("mish", "softplus", "tanh", "sigmoid", "hard_sigmoid", "linear"),
)


@dataclass(frozen=True)
class Style:
    """How every block of a network normalises, activates, pads and drops.

    norm: one of `NORMS`; "batch" is fused where the backend allows it, "sync_batch" pays for equality over replicas,
        "frozen_batch" keeps the statistics of the weights that it starts from, for fine-tuning with few pictures.
    activation: one of `ACTIVATIONS`.
    padding: "same" is TensorFlow's (the odd pixel goes after); "symmetric" pads k // 2 on each side, as PyTorch and
        `ZeroPadding2D` do. They differ in values wherever strides are above 1. "reflect" and "replicate" pad as much
        with the picture mirrored at its edge, or with its edge. Windows of an even side have no middle: they are padded
        as under "same", with zeros, whatever stands here.
    epsilon: added to the variance; references differ (1e-5, 1.001e-5, 1e-3).
    momentum: of the moving statistics of batch normalisation, kept share a step.
    groups: of group normalisation; lowered to a divisor where the channels do not divide.
    conv_bias: whether a convolution that is followed by a norm has a bias too.
    norm_scale: whether norms learn a scale beside their shift; some nets leave it to the next convolution.
    kernel_std: kernels start as N(0, kernel_std²), as the nets before He et al. did; 0 for He's scaling.
    drop_path: rate of stochastic depth at the last residual block; earlier blocks have proportionally less.
    head_norm: of the blocks of heads for masks and boxes, one of `NORMS`; "auto" is `norm`, and "batch" where that is
        frozen. "group" does not depend on the batch, which is small where pictures are large.
    """

    norm: str = "batch"
    activation: str = "relu"
    padding: str = "same"
    epsilon: float = 1e-5
    momentum: float = 0.9
    groups: int = 32
    conv_bias: bool = False
    norm_scale: bool = True
    kernel_std: float = 0.0
    drop_path: float = 0.0
    head_norm: str = "auto"

    def __post_init__(self):
        choices = {"norm": NORMS, "head_norm": ("auto", *NORMS), "activation": ACTIVATIONS, "padding": PADDINGS}
        for field, known in choices.items():
            if getattr(self, field) not in known:
                raise unknown_name(f"style.{field}", getattr(self, field), known)
        bounds = {"epsilon": (0, 1), "momentum": (0, 1), "drop_path": (0, 1), "groups": (1, 4097), "kernel_std": (0, 1)}
        for field, (low, high) in bounds.items():
            value = getattr(self, field)
            if not low <= value < high or (field == "epsilon" and value == 0):
                raise UserError(f"style.{field} is {value!r}: it must be a number from {low} to below {high}")

    @property
    def bias(self):
        """Whether convolutions carry a bias: where asked for, and wherever no norm would shift the channels."""
        return self.conv_bias or self.norm == "none"

    def initializer(self, groups=1, mode="fan_out"):
        """A fresh kernel initializer: He normal (over the fan out, as the papers), Glorot for saturating activations.

        With `kernel_std` it is that normal distribution whatever the shape.
        Keras counts the fan out of a grouped kernel over all its filters, hence the factor `groups`.
        """
        if self.kernel_std:
            return keras.initializers.RandomNormal(stddev=self.kernel_std)
        if self.activation in ("tanh", "sigmoid", "hard_sigmoid", "linear"):
            return keras.initializers.GlorotUniform()
        return keras.initializers.VarianceScaling(2.0 * groups, mode, "untruncated_normal")
