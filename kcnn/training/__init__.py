"""Training: runtime, optimisers, schedules, the step, the loop, and the state that they keep."""

from kcnn.training.callbacks import ProgressBar, TensorBoardScalars
from kcnn.training.checkpoints import Checkpoints
from kcnn.training.ema import MovingAverage
from kcnn.training.engine import Engine
from kcnn.training.fitting import Fitting
from kcnn.training.optimizers import OPTIMIZERS, make_optimizer
from kcnn.training.rematerialization import Rematerialized
from kcnn.training.replicas import ReplicatedEngine
from kcnn.training.resuming import identity
from kcnn.training.schedules import SCHEDULES, curve
from kcnn.training.team import Team, team_of, workers_here
from kcnn.training.watch import DATA_BOUND, Watch
from kcnn.training.weights import load_weights, save_weights

__all__ = [
    "DATA_BOUND",
    "OPTIMIZERS",
    "SCHEDULES",
    "Checkpoints",
    "Engine",
    "Fitting",
    "MovingAverage",
    "ProgressBar",
    "Rematerialized",
    "ReplicatedEngine",
    "Team",
    "TensorBoardScalars",
    "Watch",
    "curve",
    "identity",
    "load_weights",
    "make_optimizer",
    "save_weights",
    "team_of",
    "workers_here",
]
