"""Parts: Style, blocks, normalisation, convolution, channels, attention, stochastic depth, scaling."""

from kcnn.layers.attention import SelfAttention, dense, feed_forward, non_local, squeeze_excite
from kcnn.layers.blocks import (
    PadChannels,
    activation,
    add,
    conv_norm,
    conv_norm_act,
    dense_act,
    depthwise_norm,
    depthwise_norm_act,
    drop_path_rates,
    dropout,
    flat_hidden,
    norm_act,
    pooled_hidden,
    separable_norm,
)
from kcnn.layers.channels import LayerScale, ShuffleChannels, TakeChannels, concatenate, split_channels
from kcnn.layers.convolution import (
    average_pool,
    convolve,
    crop,
    depthwise,
    global_average_pool,
    max_pool,
    rank_of,
    transposed,
    unpadded,
    zero_pad,
)
from kcnn.layers.frames import Frame, frame, unframed
from kcnn.layers.local_response import LocalResponseNormalization
from kcnn.layers.normalization import FusedBatchNormalization, make_normalization, normalize
from kcnn.layers.scaling import MID_GREY, Standardize
from kcnn.layers.spatial import PadEdges, Subsample
from kcnn.layers.stochastic_depth import Dropout, SpatialDropout, StochasticDepth
from kcnn.layers.style import ACTIVATIONS, NORMS, PADDINGS, Style
from kcnn.layers.windows import MergeWindows, PartitionWindows, SpaceToDepth, WindowAttention

__all__ = [
    "ACTIVATIONS",
    "MID_GREY",
    "MergeWindows",
    "NORMS",
    "PADDINGS",
    "Dropout",
    "Frame",
    "FusedBatchNormalization",
    "LayerScale",
    "LocalResponseNormalization",
    "PadChannels",
    "PadEdges",
    "PartitionWindows",
    "SelfAttention",
    "ShuffleChannels",
    "SpaceToDepth",
    "SpatialDropout",
    "StochasticDepth",
    "Standardize",
    "Style",
    "Subsample",
    "TakeChannels",
    "WindowAttention",
    "activation",
    "add",
    "average_pool",
    "concatenate",
    "conv_norm",
    "conv_norm_act",
    "convolve",
    "crop",
    "dense",
    "dense_act",
    "depthwise",
    "depthwise_norm",
    "depthwise_norm_act",
    "drop_path_rates",
    "dropout",
    "feed_forward",
    "flat_hidden",
    "frame",
    "global_average_pool",
    "make_normalization",
    "max_pool",
    "non_local",
    "norm_act",
    "normalize",
    "pooled_hidden",
    "rank_of",
    "split_channels",
    "squeeze_excite",
    "unframed",
    "unpadded",
    "separable_norm",
    "transposed",
    "zero_pad",
]
