"""Kernels that stock Keras misses on TensorFlow: fused batch normalisation, true grouped convolution, open sizes.

All equal Keras's own layers in values, variables and configuration, so weights move freely between them. This file
imports TensorFlow and is itself imported only where that is the backend.
"""

from functools import cache

import keras
import tensorflow as tf

from kcnn import processor

FUSED_DTYPES = (tf.float32, tf.float16, tf.bfloat16)


@keras.saving.register_keras_serializable(package="kcnn")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` on the fused kernel, twice as fast for a whole training step of a ResNet-50.

    Takes (batch, ..., channels) of any rank from 2 to 5, in float32, float16 or bfloat16; statistics and variables stay
    float32. Masks, `renorm`, `synchronized`, another axis than the last and other dtypes run the parent's code.
    """

    def call(self, inputs, training=None, mask=None):
        if not self._can_fuse(inputs, mask):
            return super().call(inputs, training=training, mask=mask)
        gamma = self.gamma if self.scale else tf.ones_like(self.moving_mean)
        beta = self.beta if self.center else tf.zeros_like(self.moving_mean)
        learning = bool(training and self.trainable)
        if not learning and processor.fuses_badly():
            return self._by_factors(inputs, gamma, beta)
        shape = tf.shape(inputs)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=_as_pictures(inputs, shape),
            scale=tf.convert_to_tensor(gamma),
            offset=tf.convert_to_tensor(beta),
            mean=tf.zeros([0]) if learning else tf.convert_to_tensor(self.moving_mean),
            variance=tf.zeros([0]) if learning else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=learning,
        )
        if learning:
            self._update(mean, variance, tf.reduce_prod(tf.cast(shape[:-1], tf.float32)))
        outputs = tf.ensure_shape(tf.reshape(outputs, shape), inputs.shape)
        return tf.cast(outputs, self.compute_dtype)

    def _by_factors(self, inputs, gamma, beta):
        """The moving statistics as one factor and one offset a channel, which the graph's optimiser does not fuse."""
        factor = gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
        offset = beta - self.moving_mean * factor
        return tf.cast(tf.cast(inputs, tf.float32) * factor + offset, self.compute_dtype)

    def _can_fuse(self, inputs, mask):
        plain = mask is None and not self.renorm and not self.synchronized
        rank = len(inputs.shape)
        return plain and self.axis in (-1, rank - 1) and 2 <= rank <= 5 and inputs.dtype in FUSED_DTYPES

    def _update(self, mean, variance, count):
        # The kernel answers with the unbiased variance; Keras keeps the biased one.
        variance *= (count - 1.0) / count
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))


def _as_pictures(inputs, shape):
    """(B, ..., C) as (B, H, W, C), which is all that the fused kernel takes."""
    if len(inputs.shape) == 4:
        return inputs
    return tf.reshape(inputs, [shape[0], -1, 1, inputs.shape[-1] or shape[-1]])


def resize_bilinear(x, size):
    """`x` (B, H, W, C) at `size` (height, width), float32; Keras's own takes no size that a graph finds out."""
    return tf.image.resize(x, size)


def grouped_convolution(x, kernel, strides, padding, dilations):
    """Grouped convolution of x (B, spatial..., C) with kernel (k..., C / groups, filters), in ranks 1 to 3.

    TensorFlow's own kernel takes groups in ranks 1 and 2; rank 3 is a sum of planes (`summed_planes`).
    """
    kernel = tf.convert_to_tensor(kernel)
    if len(strides) < 3:
        return tf.nn.convolution(x, kernel, strides, padding.upper(), dilations=dilations)
    return summed_planes(x, kernel, strides, padding, dilations)


def summed_planes(x, kernel, strides, padding, dilations):
    """A 3-D grouped convolution as the sum, over the kernel's planes, of 2-D convolutions of shifted slices.

    x (B, D, H, W, C), kernel (kd, kh, kw, C / groups, filters) -> (B, D', H', W', filters). One channel a group runs on
    the depthwise kernel.
    """
    planes, stride, dilation = kernel.shape[0], strides[0], dilations[0]
    size, reach = tf.shape(x)[1], (planes - 1) * dilation + 1
    if padding == "same":
        total = tf.maximum((-(-size // stride) - 1) * stride + reach - size, 0)
        before = total // 2
        x = tf.pad(x, [[0, 0], [before, total - before], [0, 0], [0, 0], [0, 0]])
        size += total
    depth = (size - reach) // stride + 1
    batch, height, width, channels = tf.shape(x)[0], tf.shape(x)[2], tf.shape(x)[3], x.shape[-1]
    result = 0
    for plane in range(planes):
        start = plane * dilation
        part = x[:, start : start + (depth - 1) * stride + 1 : stride]
        part = tf.reshape(part, [batch * depth, height, width, channels])
        result += _plane(part, kernel[plane], strides[1:], padding.upper(), dilations[1:])
    return tf.reshape(result, tf.concat([[batch, depth], tf.shape(result)[1:]], 0))


def _plane(x, kernel, strides, padding, dilations):
    """One 2-D plane; a kernel of one channel a group and square strides is depthwise, which TensorFlow does faster."""
    depthwise = kernel.shape[-2] == 1 and kernel.shape[-1] == x.shape[-1]
    if depthwise and strides[0] == strides[1] and (max(strides) == 1 or max(dilations) == 1):
        kernel = tf.transpose(kernel, [0, 1, 3, 2])
        return tf.nn.depthwise_conv2d(x, kernel, [1, *strides, 1], padding, dilations=dilations)
    return tf.nn.conv2d(x, kernel, list(strides), padding, dilations=list(dilations))


@cache
def groups_can_learn():
    """Whether TensorFlow's own kernel has gradients of groups here: on processors it has them by oneDNN alone."""
    with tf.init_scope():
        x, kernel = tf.ones([1, 2, 2, 4]), tf.ones([1, 1, 2, 4])
        try:
            tf.raw_ops.Conv2DBackpropInput(
                input_sizes=x.shape, filter=kernel, out_backprop=x, strides=[1, 1, 1, 1], padding="SAME"
            )
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True


class _PlainGroups:
    """Replaces the XLA-compiled convolution that Keras uses for groups on a processor, some 60 to 120 times slower."""

    def convolution_op(self, inputs, kernel):
        plain = self.data_format == "channels_last" and self.padding != "causal"
        if self.groups == 1 or not plain or not groups_can_learn():
            return super().convolution_op(inputs, kernel)
        outputs = grouped_convolution(inputs, kernel, self.strides, self.padding, self.dilation_rate)
        return tf.ensure_shape(outputs, self.compute_output_shape(inputs.shape))


@keras.saving.register_keras_serializable(package="kcnn")
class GroupedConvolution1D(_PlainGroups, keras.layers.Conv1D):
    """`keras.layers.Conv1D` whose groups run on TensorFlow's own kernel."""


@keras.saving.register_keras_serializable(package="kcnn")
class GroupedConvolution2D(_PlainGroups, keras.layers.Conv2D):
    """`keras.layers.Conv2D` whose groups run on TensorFlow's own kernel."""


@keras.saving.register_keras_serializable(package="kcnn")
class GroupedConvolution3D(_PlainGroups, keras.layers.Conv3D):
    """`keras.layers.Conv3D` whose groups, down to one channel each, run as sums of 2-D planes."""
