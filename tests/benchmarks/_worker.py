"""A worker of scaling on one core: training steps, alone or with the others that TF_CONFIG names.

Its wish: {"core", "network", "side", "batch"}. Its way is the sizes of the trained tensors, as JSON.
"""

import json
import math
import os

from tests.benchmarks import _serving

CLASSES = 1000


def prepare(wish):
    """Training steps on one repeated batch."""
    os.sched_setaffinity(0, {wish["core"]})
    import numpy as np
    import tensorflow as tf

    from kcnn.models import build_model, head_of
    from kcnn.recipe import Recipe
    from kcnn.training import Engine, ReplicatedEngine, make_optimizer, runtime, team_of

    recipe = Recipe().override({"train.optimizer": "sgd", "runtime.threads": 1})
    runtime.prepare(recipe.runtime)
    team, frame = team_of(recipe.runtime), (wish["side"], wish["side"], 3)
    with team.scope():
        head = head_of("classifier", num_classes=CLASSES)
        model = build_model(wish["network"], head, input_shape=frame, stem="standard")
        optimizer = make_optimizer(recipe.train, model.trainable_variables)
    engine = (ReplicatedEngine if team.replicas > 1 else Engine)(model, head, optimizer, team=team)
    image = np.random.default_rng(team.worker).integers(0, 255, (wish["batch"], *frame), dtype=np.uint8)
    batch = {"image": tf.constant(image), "label": tf.range(wish["batch"]), "weight": tf.ones(wish["batch"])}

    def run(steps):
        for _ in range(steps):
            sums, _ = engine.train_step(batch, np.float32(1e-3), np.float32(0))
            sums.numpy()

    run(2)  # which build the graph
    return run, json.dumps([math.prod(v.shape) for v in model.trainable_variables])


if __name__ == "__main__":
    _serving.serve(prepare)
