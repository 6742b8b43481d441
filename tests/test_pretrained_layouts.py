"""Do files of torchvision and timm load whole, and do our networks then answer what theirs answered?

The answers are recorded in tests/references, with weights that are drawn again here by the same rule.
"""

import numpy as np
import pytest
from safetensors.numpy import save_file

from kcnn import build_model
from kcnn.architectures import ARCHITECTURES
from kcnn.pretrained import LAYOUTS, layouts_of, load, recognise, tensors_of
from kcnn.pretrained.layouts import IMAGENET_MEAN, IMAGENET_STD
from tests import test_architectures_equality, test_architectures_layouts
from tests.references import answers, draw, pictures

RECORDED = answers()
LARGE = 40e6  # weights; larger networks are compared in the slow suite, and those whose layout is compared otherwise
SLOW = [name for name, found in RECORDED.items() if sum(map(np.prod, found["shapes"].values())) > LARGE]
SLOW += ["timm/densenet121", "timm/inception_v3", "timm/tf_efficientnetv2_s", "torchvision/regnet_x_1_6gf"]


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in RECORDED])
def test_answers_of_another_program(name, tmp_path):
    found = RECORDED[name]
    tensors = draw(found["shapes"], found["gain"])
    save_file(tensors, tmp_path / "theirs.safetensors")
    side, variant = found["side"], ARCHITECTURES[found["ours"]]
    model = build_model(
        found["ours"], input_shape=(side, side, 3), top="own", stem="standard", weights=tmp_path / "theirs.safetensors",
        mean=IMAGENET_MEAN, std=IMAGENET_STD,
    )  # fmt: skip
    layout = recognise(model, variant, tensors_of(tmp_path / "theirs.safetensors"), "file")
    report = load(model, variant, tensors, layout)
    assert layout.program in {other.program for other in layouts_of(variant)}
    assert not (report.fresh or report.reshaped or report.unused), list(report.lines())
    logits, theirs = model(pictures(side))[:, : len(found["logits"][0])], np.array(found["logits"])
    assert np.abs(logits - theirs).max() < 2e-3 * np.std(theirs), np.abs(logits - theirs).max() / np.std(theirs)


def test_answers_are_compared_for_every_family_of_a_program_but_these():
    keras = {**test_architectures_equality.REFERENCES, **test_architectures_layouts.REFERENCES}
    compared = {(ARCHITECTURES[name].family, "keras") for name in keras}
    compared |= {(ARCHITECTURES[found["ours"]].family, name.split("/")[0]) for name, found in RECORDED.items()}
    left = {(layout.family, layout.program) for layout in LAYOUTS.values()} - compared
    assert left == {("efficientnet", "efficientnet_pytorch")}
