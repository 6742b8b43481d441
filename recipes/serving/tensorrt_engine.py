"""Build a TensorRT engine from a run's ONNX export, for NVIDIA's graphics processors.

    kcnn export runs/resnet18-photos-1 --format onnx
    python recipes/serving/tensorrt_engine.py runs/resnet18-photos-1 --batch 8

It needs an NVIDIA GPU and the package tensorrt; elsewhere it says so and writes nothing. The engine fits the GPU and
the version that built it, no others. Not tried by us: it is written from TensorRT's documentation.
"""

import argparse
from importlib.util import find_spec
from pathlib import Path


def build(run, batch=1, half=True):
    """Write exports/model.engine, for up to `batch` pictures at once, in float16 where `half`; returns its path."""
    source, target = Path(run) / "exports" / "model.onnx", Path(run) / "exports" / "model.engine"
    if not source.is_file():
        raise SystemExit(f"{source} is not there: kcnn export {run} --format onnx")
    if find_spec("tensorrt") is None:
        raise SystemExit("TensorRT is not installed here: pip install tensorrt, on a machine with an NVIDIA GPU")
    import tensorrt as trt

    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(source.read_bytes()):
        raise SystemExit("TensorRT cannot hold this network: " + str(parser.get_error(0)))
    config, profile, image = (
        builder.create_builder_config(),
        builder.create_optimization_profile(),
        network.get_input(0),
    )
    shape = tuple(image.shape)[1:]
    profile.set_shape(image.name, (1, *shape), (batch, *shape), (batch, *shape))
    config.add_optimization_profile(profile)
    if half and builder.platform_has_fast_fp16:
        config.set_flag(trt.BuilderFlag.FP16)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise SystemExit("TensorRT built no engine; its messages above say why")
    target.write_bytes(bytes(engine))
    return target


def main(words=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--batch", type=int, default=1, help="pictures at once, at most")
    parser.add_argument("--float32", action="store_true", help="not in float16")
    asked = parser.parse_args(words)
    print(build(asked.run, asked.batch, not asked.float32))


if __name__ == "__main__":
    main()
