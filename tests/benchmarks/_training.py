"""A side of feeding: training steps on batches from JPEG files, or on the first of them again and again.

Its wish: {"files": [JPEG], "augment": {…}, "batch", "side", "cached"}.
"""

from tests.benchmarks import _serving
from tests.benchmarks._streams import kcnn_stream


def prepare(wish):
    """Training steps of ResNet-18."""
    import numpy as np

    from kcnn.models import build_model, head_of
    from kcnn.recipe import Recipe
    from kcnn.training import Engine, make_optimizer

    head = head_of("classifier", num_classes=2)
    model = build_model("resnet18", head, input_shape=(wish["side"], wish["side"], 3), stem="standard")
    engine = Engine(model, head, make_optimizer(Recipe().train, model.trainable_variables))
    drawn = iter(kcnn_stream(wish))
    kept = next(drawn)
    if wish["cached"]:
        del drawn  # and with it the pipeline, which would go on filling its buffers

    def run(steps):
        for step in range(steps):
            batch = kept if wish["cached"] else next(drawn)
            engine.train_step(batch, np.float32(1e-4), np.float32(step))[0].numpy()

    return run, "one batch" if wish["cached"] else "from files"


if __name__ == "__main__":
    _serving.serve(prepare)
