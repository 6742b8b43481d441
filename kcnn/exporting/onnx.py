"""ONNX, which most runtimes read: in float32, or in 8 bits by ONNX Runtime's static quantization.

What is told of the model is the entry "kcnn" of the file's metadata.
"""

import logging
import tempfile
from pathlib import Path

import tensorflow as tf

from kcnn.exporting.portable import answers, converting, program, told
from kcnn.exporting.registry import EXPORTERS, Exporter

OPSET = 17
ROUNDED = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
NEEDS = ("onnx", "onnxruntime", "tf2onnx")


def write(model, head, facts, path, images):
    """Write the ONNX file of `model` at `path`; it takes images of the dtype of `images`."""
    import onnx
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)  # it tells each of its steps
    image = tf.TensorSpec((None, *facts.input_shape), tf.as_dtype(images.dtype), name="image")
    with converting("ONNX"):
        run = program(model, head, facts, image.dtype)
        graph, _ = tf2onnx.convert.from_function(run, input_signature=[image], opset=OPSET)
    onnx.helper.set_model_props(graph, {"kcnn": told(head, facts)})
    path.write_bytes(graph.SerializeToString())


def write_int8(model, head, facts, path, images):
    """The same with convolutions and products in 8 bits, of scales that `images` gave; one scale a channel.

    All else stays in float32: what decodes boxes needs more than 256 places.
    """
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Samples(q.CalibrationDataReader):
        left = iter(images)

        def get_next(self):
            image = next(self.left, None)
            return None if image is None else {"image": image[None]}

    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, written = (Path(folder, name) for name in ("plain.onnx", "prepared.onnx", "int8.onnx"))
        write(model, head, facts, plain, images)
        with converting("ONNX in 8 bits"):
            quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
            # Weights in 7 bits: sums of products in 8 overflow on processors without VNNI.
            q.quantize_static(
                str(prepared),
                str(written),
                Samples(),
                per_channel=True,
                reduce_range=True,
                op_types_to_quantize=ROUNDED,
            )
        path.write_bytes(written.read_bytes())


def load(path, head, facts):
    """{"model": images (N, H, W, C) → answers}, by ONNX Runtime on the file at `path`."""
    import onnxruntime

    with converting("ONNX"):  # its converter leaves out what it does not know, and only logs so
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(images):
        return dict(zip(names, session.run(None, {"image": images}), strict=True))

    return answers(run, head, facts)


EXPORTERS.add("onnx", Exporter("model.onnx", "ONNX, which most runtimes read: float32", write, load, NEEDS))
INT8 = Exporter("model_int8.onnx", "ONNX in 8 bits, of scales that sample pictures gave", write_int8, load, NEEDS, 0.98)
EXPORTERS.add("onnx_int8", INT8)
