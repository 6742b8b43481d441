"""A session: one training from recipe to report, the same whether it starts, resumes or is repeated.

Data, model, engine and loop meet here and nowhere else; `api` and `run` only name what to do.
"""

from kcnn.session.network import (
    as_its_head_needs,
    build,
    build_to_answer,
    layer_rates,
    make_engine,
    settle_precision,
    twin,
)
from kcnn.session.opening import Session, open_data, prepare, reopen, start, wanted
from kcnn.session.running import extend, make_fitting, train

__all__ = [
    "Session",
    "as_its_head_needs",
    "build",
    "build_to_answer",
    "extend",
    "layer_rates",
    "make_engine",
    "make_fitting",
    "open_data",
    "prepare",
    "reopen",
    "settle_precision",
    "start",
    "train",
    "twin",
    "wanted",
]
