"""Networks with the tops of their papers through a whole run, also where such a top reads no level."""

import numpy as np
import pytest

import kcnn
from kcnn import planning
from kcnn.architectures import ARCHITECTURES
from kcnn.models import build_model, depths, levels
from kcnn.session import layer_rates
from kcnn.session.running import backbone_layers

WITH = [name for name, variant in ARCHITECTURES.items() if variant.own_top and name.endswith("_toy")]
SHAPE = (64, 64, 3)


@pytest.mark.parametrize("name", WITH)
def test_it_trains_and_is_explained_or_says_why_not(name, tmp_path, rng):
    data = (rng.integers(0, 255, (12, *SHAPE), dtype=np.uint8), np.arange(12) % 3)
    settings = {"runtime.runs": str(tmp_path), "train.batch_size": 6, "data.validation": 0.5, "train.layer_decay": 0.5}
    run = kcnn.build_and_fit({}, data, name="a", architecture=name, epochs=1, top="own", **settings)
    assert run.status["state"] == "finished"
    if levels(run.model):
        assert run.explain(data[0][0]).shape == SHAPE[:2]
    else:
        with pytest.raises(kcnn.UserError, match="answers from no level.* such as level='stem'.*model.top = 'pooled'"):
            run.explain(data[0][0])
        assert run.explain(data[0][0], level="stem").shape == SHAPE[:2]


def test_without_levels_all_but_the_last_layer_rests_and_learns_slowly():
    model = build_model("vit_toy", input_shape=SHAPE, num_classes=3, top="own")
    names = [layer.name for layer in model.layers]
    assert levels(model) == {} and backbone_layers(model) == names[:-1] and names[-1] == "logits"
    assert set(depths(model).values()) == {0, 1}
    rates = layer_rates(model, 0.5)
    assert {path for path, rate in rates.items() if rate == 1} == {v.path for v in model.get_layer("logits").weights}


def test_a_plan_of_a_network_without_levels(monkeypatch, rng):
    monkeypatch.setattr(planning, "LONGEST", 0.0)
    monkeypatch.setattr(planning, "_forecasts", lambda *_: ())
    data = (rng.integers(0, 255, (12, *SHAPE), dtype=np.uint8), np.arange(12) % 3)
    plan = kcnn.plan({}, data, architecture="vit_toy", batch_size=4, epochs=1, top="own", validation=0.5)
    assert plan.levels == {} and plan.parameters > 0
