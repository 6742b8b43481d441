"""OpenVINO, for Intel's processors and their graphics: a folder with model.xml and model.bin, in float32.

What is told of the model is the entry "kcnn" of its rt_info.
"""

import tempfile

import tensorflow as tf

from kcnn.exporting.portable import answers, converting, holding, program, told
from kcnn.exporting.registry import EXPORTERS, Exporter

FILE = "model.xml"


def write(model, head, facts, path, images):
    """Write the folder of `model` at `path`; it takes images of the dtype of `images`."""
    import openvino

    run = program(model, head, facts, tf.as_dtype(images.dtype))
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(holding(model), folder, signatures=run)
        with converting("OpenVINO"):
            graph = openvino.convert_model(folder)
    graph.set_rt_info(told(head, facts), "kcnn")
    path.mkdir()
    openvino.save_model(graph, path / FILE, compress_to_fp16=False)


def load(path, head, facts):
    """{"model": images (N, H, W, C) → answers}, by OpenVINO on the processor, in float32, on the folder at `path`."""
    import openvino

    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(str(path / FILE), "CPU", options)

    def run(images):
        return {output.any_name: value for output, value in compiled(images).items()}

    return answers(run, head, facts)


DESCRIPTION = "OpenVINO, for Intel's processors: a folder with model.xml, float32"
EXPORTERS.add("openvino", Exporter("openvino", DESCRIPTION, write, load, ("openvino",)))
