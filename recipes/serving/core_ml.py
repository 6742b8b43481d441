"""Write a Core ML package from a run, for Apple's devices.

    python recipes/serving/core_ml.py runs/resnet18-photos-1

It needs the package coremltools; elsewhere it says so and writes nothing. Only macOS can run what it writes. Not tried
by us: it is written from coremltools' documentation.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path


def convert(run):
    """Write exports/model.mlpackage below a run's folder; returns its path."""
    target = Path(run) / "exports" / "model.mlpackage"
    if find_spec("coremltools") is None:
        raise SystemExit("coremltools is not installed here: pip install coremltools")
    import coremltools

    import kcnn

    function, told = kcnn.load_run(run).program()
    package = coremltools.convert([function.get_concrete_function()], source="tensorflow", convert_to="mlprogram")
    package.user_defined_metadata["kcnn"] = told
    package.save(str(target))
    return target


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    print(convert(parser.parse_args(words).run))


if __name__ == "__main__":
    main()
