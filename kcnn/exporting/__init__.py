"""From a fitted model to files that other programs run, and the proof that they answer alike.

`EXPORTERS` holds the formats; importing this room registers them all.
"""

from kcnn.exporting import keras_file, saved_model
from kcnn.exporting.export import export
from kcnn.exporting.parity import ExportDisagrees
from kcnn.exporting.registry import EXPORTERS, Exporter

__all__ = ["EXPORTERS", "ExportDisagrees", "Exporter", "export", "keras_file", "saved_model"]
