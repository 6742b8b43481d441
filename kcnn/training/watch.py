"""The watch: looks at gradients, units and the history while a network learns, and says what is wrong in one line."""

import logging

import keras
import numpy as np

from kcnn.training.looking import is_open, looker

log = logging.getLogger(__name__)
VANISHING, EXPLODING, SPIKE = 1e-5, 1e3, 100.0  # shares of the loudest layer's gradient; of a step's; over the median
QUIET = 1e-2  # a step's gradient norm below which none is called a spike's neighbour
DEAD = 0.5  # share of a layer's channels that no picture of a batch switches on
RECTIFIERS = {"relu", "relu6"}
DATA_BOUND = 0.3  # share of the time spent waiting for data


class Watch(keras.callbacks.Callback):
    """Warns, once each, of vanishing, exploding and spiking gradients, dead units and a starved network.

    Args:
        engine: the `Engine`, for the last batch and the gradient norm of each variable.
        tell: called with each warning; the log if None.
    """

    def __init__(self, engine, tell=None):
        super().__init__()
        self.engine, self.tell = engine, tell or log.warning
        self.told, self.units = set(), None
        self.norms, self.totals = 0.0, []

    def get_state(self):
        """What was said already, so that a resumed run does not repeat it."""
        return sorted(self.told)

    def set_state(self, state):
        """Take up what `get_state` gave."""
        self.told = set(state)

    def on_epoch_begin(self, epoch, logs=None):
        """Forget the last epoch's gradients."""
        self.norms, self.totals = 0.0, []

    def on_train_batch_end(self, batch, logs=None):
        """Add up this step's gradient norms."""
        norms = np.asarray(self.engine.norms)
        self.norms = self.norms + norms
        self.totals.append(float(np.linalg.norm(norms)))

    def on_epoch_end(self, epoch, logs=None):
        """Judge the epoch."""
        if self.totals:
            self._judge_gradients(self.norms / len(self.totals))
        if "dead units" not in self.told:
            self.units = self.units or DeadUnits(self.model)
            self._say("dead units", self.units.warning(self.engine.batch["image"]))
        waited = (logs or {}).get("data_wait", 0)
        if epoch and waited > DATA_BOUND:
            way = "smaller files, fewer changes of geometry or more cores would train faster"
            self._say("data-bound", f"{waited:.0%} of the time went on waiting for data: {way}")

    def _judge_gradients(self, norms):
        kernels = [(v.path, n) for v, n in zip(self.engine.variables, norms, strict=True) if v.path.endswith("kernel")]
        if len(kernels) > 2:
            loudest, faintest = max(kernels, key=lambda k: k[1]), min(kernels[: len(kernels) // 2], key=lambda k: k[1])
            if faintest[1] < VANISHING * loudest[1]:
                seen = f"{faintest[1]:.1e} at {faintest[0]} against {loudest[1]:.1e} at {loudest[0]}"
                self._say("vanishing", f"gradients vanish: {seen}: use batch norm, shortcuts or ReLU")
        typical, most = float(np.median(self.totals)), max(self.totals)
        if typical > EXPLODING or most > SPIKE * max(typical, QUIET):
            way = f"lower train.learning_rate or set train.clip_norm = {max(typical, 1.0):.2g}"
            self._say("exploding", f"gradients explode: norm {most:.1e}, usually {typical:.1e}: {way}")

    def _say(self, kind, text):
        if text and kind not in self.told:
            self.told.add(kind)
            self.tell(text)


class DeadUnits:
    """Finds ReLU layers of a functional `model` most of whose channels are 0 for a whole batch; built once a model."""

    def __init__(self, model):
        self.layers = [layer for layer in getattr(model, "layers", ()) if _rectifies(layer)]
        lit = [keras.ops.any(layer.output > 0, axis=list(range(len(layer.output.shape) - 1))) for layer in self.layers]
        self.look = looker(model, lit) if lit and is_open(model) else None

    def warning(self, images):
        """One line on the worst layer if more than half of its channels are dark for a batch of `images`; else None."""
        if self.look is None:
            return None
        shares = [1 - float(np.mean(on)) for on in self.look(images, training=False)]
        worst = int(np.argmax(shares))
        if shares[worst] <= DEAD:
            return None
        pictures = len(keras.tree.flatten(images)[0])
        return (
            f"{shares[worst]:.0%} of the units of {self.layers[worst].name} are dead (0 for {pictures} pictures): "
            "lower train.learning_rate, or another activation, such as model.style = {activation = 'leaky_relu'}"
        )


def _rectifies(layer):
    return getattr(getattr(layer, "activation", None), "__name__", "") in RECTIFIERS and hasattr(layer, "output")
