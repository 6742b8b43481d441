"""kcnn's side of gpu: a network of the backend-free rooms under KERAS_BACKEND=jax, its whole step compiled at once."""

import functools

from tests.benchmarks import _serving


def prepare(wish):
    """Training steps with SGD and momentum in mixed bfloat16, on one repeated batch; weights stay on the device."""
    import jax
    import keras
    import numpy as np

    from kcnn.models import build_model

    if jax.default_backend() != wish["device"]:
        raise _serving.Missing(f"jax finds no {wish['device']} here, only {jax.default_backend()}")
    keras.config.set_dtype_policy("mixed_bfloat16")
    shape = (wish["side"], wish["side"], 3)
    model = build_model(wish["name"], input_shape=shape, num_classes=wish["classes"], stem="standard")
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    optimizer.build(model.trainable_variables)
    rng = np.random.default_rng(0)
    x = jax.device_put(rng.uniform(0, 255, (wish["batch"], *shape)).astype("float32"))
    y = jax.device_put(rng.integers(0, wish["classes"], wish["batch"]))

    def loss_of(learned, others):
        logits, others = model.stateless_call(learned, others, x, training=True)
        chances = jax.nn.log_softmax(logits.astype("float32"))
        return -jax.numpy.take_along_axis(chances, y[:, None], 1).mean(), others

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def step(learned, others, memory):
        (loss, others), gradients = jax.value_and_grad(loss_of, has_aux=True)(learned, others)
        learned, memory = optimizer.stateless_apply(memory, gradients, learned)
        return (learned, others, memory), loss

    groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
    state = [[variable.value for variable in group] for group in groups]

    def run(steps):
        nonlocal state
        for _ in range(steps):
            state, loss = step(*state)
        if not np.isfinite(float(loss)):  # which waits for the device
            raise FloatingPointError("the loss is not finite")

    run(2)
    return run, f"jax {jax.__version__}, jitted, mixed bfloat16, {jax.devices()[0].device_kind}"


if __name__ == "__main__":
    _serving.serve(prepare)
