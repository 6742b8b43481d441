"""From a fitted model to files that other programs run, and the proof that they answer alike.

`EXPORTERS` holds the formats; importing this room registers them all.
"""

from kcnn.exporting.export import export
from kcnn.exporting.parity import ExportDisagrees
from kcnn.exporting.registry import EXPORTERS, Exporter
from kcnn.exporting.timing import time_exports

# isort: off
from kcnn.exporting import saved_model, litert, onnx, openvino, keras_file  # in the order in which they are offered

# isort: on

__all__ = [
    "EXPORTERS",
    "ExportDisagrees",
    "Exporter",
    "export",
    "keras_file",
    "litert",
    "onnx",
    "openvino",
    "saved_model",
    "time_exports",
]
