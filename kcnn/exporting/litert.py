"""LiteRT (TensorFlow Lite), for phones and small machines: one flat file, in 32, 16 or 8 bits.

"litert" computes in float32; "litert_float16" keeps its weights in 16 bits; "litert_dynamic" keeps them in 8 bits and
rounds what flows as it comes; "litert_int8" computes in whole numbers, whose scales are measured on sample pictures; of
a detector what decodes its boxes stays in float32, as 256 places are too few for their edges.
Operations beyond LiteRT's own (Flex) are refused. What is told of the model is kcnn.json in a ZIP at the file's end,
which interpreters do not read.
"""

import os
import warnings
import zipfile

import numpy as np
import tensorflow as tf

from kcnn.exporting.portable import answers, converting, holding, program, told
from kcnn.exporting.registry import EXPORTERS, Exporter

NEEDS = ("ai_edge_litert",)
NETWORK = {"ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MEAN", "PAD"}
NETWORK |= {"RESIZE_NEAREST_NEIGHBOR", "TRANSPOSE_CONV"}
QUICK = "weights in 8 bits, what flows is rounded as it comes"
WHOLE = "whole numbers of 8 bits all through, of scales that sample pictures gave"


def _float32(converter, images):
    """As it is."""


def _float16(converter, images):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def _dynamic(converter, images):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def _int8(converter, images):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ({"image": np.float32(image[None])} for image in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS]
    if images.dtype == np.uint8:
        converter.inference_input_type = tf.uint8


def _converted(converter, head):
    """The file's content; with representative pictures in whole numbers, of a detector its network alone."""
    if head.task != "boxes" or converter.representative_dataset is None:
        return converter.convert()
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    rest = [name for name in vars(BuiltinOperator) if name.isupper() and name not in NETWORK]
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=rest)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the debugger reads its own draft by an older interpreter
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=converter.representative_dataset, debug_options=options
        )
        return debugger.get_nondebug_quantized_model()


def _writer(prepare):
    """The `write` of a row whose converter `prepare`(converter, sample images) sets up."""

    def write(model, head, facts, path, images):
        dtype = tf.float32 if prepare is _int8 else tf.as_dtype(images.dtype)
        run = program(model, head, facts, dtype).get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([run], holding(model))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        prepare(converter, images)
        with converting("LiteRT"):
            content = _converted(converter, head)
        path.write_bytes(content)
        with zipfile.ZipFile(path, "a") as end:
            end.writestr("kcnn.json", told(head, facts))

    return write


def load(path, head, facts):
    """{"model": images (N, H, W, C) → answers}, by LiteRT's interpreter on the file at `path`."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=os.cpu_count())
    place, dtype = (interpreter.get_input_details()[0][key] for key in ("index", "dtype"))
    ends = {name: end["index"] for name, end in interpreter.get_signature_runner().get_output_details().items()}
    seen = []

    def run(images):
        if seen != [images.shape]:
            interpreter.resize_tensor_input(place, images.shape)
            interpreter.allocate_tensors()
            seen[:] = [images.shape]
        interpreter.set_tensor(place, images.astype(dtype))  # a detector in 8 bits takes float32
        interpreter.invoke()
        return {name: interpreter.get_tensor(end) for name, end in ends.items()}

    return answers(run, head, facts)


for name, prepare, agreement, does in (
    ("litert", _float32, None, "float32"),
    ("litert_float16", _float16, 0.98, "weights in 16 bits, half as large"),
    ("litert_dynamic", _dynamic, 0.98, QUICK),
    ("litert_int8", _int8, 0.98, WHOLE),
):
    row = Exporter(f"{name}.tflite", f"LiteRT, for phones: {does}", _writer(prepare), load, NEEDS, agreement)
    EXPORTERS.add(name, row)
