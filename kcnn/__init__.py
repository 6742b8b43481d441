"""kcnn: from a folder of pictures to a trained, measured, explained and served convolutional network.

The names below are loaded on first use, so that `import kcnn` costs nothing.
"""

from kcnn.processor import choose_kernels

__version__ = "0.1.0"
__all__ = [
    "Helper",
    "HelperFailed",
    "Recipe",
    "Run",
    "Trainings",
    "UserError",
    "browse_architectures",
    "build_and_fit",
    "build_and_fit_classifier",
    "build_and_fit_detector",
    "build_and_fit_segmenter",
    "build_model",
    "check_data",
    "compare",
    "describe",
    "diagnose_data",
    "dry_run",
    "find_learning_rate",
    "fit",
    "list_architectures",
    "list_heads",
    "list_names",
    "list_runs",
    "load_run",
    "plan",
    "show_augmentation",
    "sketch_learning_rate",
]

_HOMES = {
    "Recipe": "recipe",
    "Run": "run",
    "UserError": "errors",
    "list_runs": "run_folder",
    "Helper": "answering_process",
    "HelperFailed": "answering_process",
    "Trainings": "trainings",
}


choose_kernels()


def __getattr__(name):
    if name not in __all__:
        raise AttributeError(f"module 'kcnn' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"kcnn.{_HOMES.get(name, 'api')}"), name)
    return value


def __dir__():
    return sorted([*__all__, "__version__"])
