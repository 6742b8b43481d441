"""Are values of a row that make no network refused in one line, and small ones that do make one built?"""

import pytest

from kcnn.architectures import ARCHITECTURES, customized
from kcnn.errors import UserError
from tests.unfilled import without_weights

V2, V3 = ([[1, 8, 1, 1], [1.5, 8, 2, 2]], [["a", 8, 8, True, True, 1]])
REFUSED = [
    ("resnet", {"first_stride": 3}, "first_stride is 3: it must be 1 or 2"),
    ("resnet", {"depths": [1, "x"]}, r"depths is \(1, 'x'\): it must be of the kind of \(1, 1, 1, 1\)"),
    ("resnet", {"depths": [1.5, 1]}, "it must be of the kind of"),
    ("resnet", {"depths": [True, 1]}, "it must be of the kind of"),
    ("resnet", {"depths": [[1], 1]}, "it must be of the kind of"),
    ("resnet", {"stem_width": "x"}, r"stem_width is 'x': it must be of the kind int \| None"),
    ("resnet", {"stem_width": 2.5}, "stem_width is 2.5: it must be of the kind"),
    ("resnet", {"stem_width": 0}, "numbers must be 1 or more"),
    ("resnet", {"stem_width": 9, "shortcut": "pad"}, "stem_width is 9: with shortcut='pad' it must be 8 or less"),
    ("resnext", {"group_width": 1}, "group_width is 1: with width=8 it must be 8 or more"),
    ("alexnet", {"groups": [1, 5, 1, 1, 1]}, "each must divide the filters"),
    ("alexnet", {"groups": [2, 1, 1, 1, 1]}, "the first must be 1"),
    ("alexnet", {"margin": -1}, "numbers must be 0 or more"),
    ("xception", {"stem_filters": [4]}, r"stem_filters is \(4,\): it must be of the kind of \(6, 8\)"),
    ("nasnet", {"filters": 9}, "filters is 9: it must divide by 4"),
    ("nasnet", {"filters": 2}, "filters is 2: it must divide by 4"),
    ("mobilenet_v3", {"blocks": V3}, "it must be of the kind of"),
    ("mobilenet_v2", {"stages": V2}, "it must be of the kind of"),
    ("mobilenet_v2", {"stages": [[1, 8, 1, 1], 5]}, "it must be of the kind of"),
    ("mobilenet", {"filters": [8, 8, "16", 16, 16]}, "it must be of the kind of"),
    ("googlenet", {"stages": [[[4] * 6], [[4] * 5 + ["4"]]]}, "it must be of the kind of"),
    ("lenet", {"filters": [3, "4"]}, r"filters is \(3, '4'\): it must be of the kind of \(3, 4\)"),
    ("resnet_wang", {"kernels": [8.5, 5]}, "it must be of the kind of"),
    ("coatnet", {"attention": list("abcd")}, "it must be of the kind of"),
]
BUILT = [
    ("densenet", {"compression": 0.01}, "c3_transition", 1),
    ("regnet", {"squeeze": 0.01}, "c2_1_squeeze_reduce", 1),
    ("inception_v3", {"width": 0.001}, "stem", 1),
    ("coatnet", {"filters": [2, 8, 8, 16]}, "c2_1_excite_reduce", 1),
    ("resnet", {"stem_width": 5}, "stem", 5),
    ("resnext", {"width": 2}, "c2_1_reduce", 4),
    ("alexnet", {"groups": [1, 4, 4, 4, 4], "margin": 0}, "conv2", 12),
    ("nasnet", {"filters": 4}, "c2_1_input", 1),
]


@pytest.mark.parametrize("family, overrides, words", REFUSED, ids=str)
def test_values_that_make_no_network_are_refused(family, overrides, words):
    with pytest.raises(UserError, match=words) as caught:
        customized(ARCHITECTURES[f"{family}_toy"], overrides=overrides)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("family, overrides, layer, filters", BUILT, ids=str)
def test_small_values_leave_a_channel_at_least(family, overrides, layer, filters):
    model = without_weights(f"{family}_toy", input_shape=(64, 64, 3), num_classes=2, overrides=overrides)
    assert model.get_layer(layer).filters == filters


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_row_passes_as_overrides_of_itself(name):
    row = ARCHITECTURES[name].row
    own = {
        word: value for word, value in vars(row).items() if word not in ("params", "image", "classes", "stem", "style")
    }
    own = {word: value for word, value in own.items() if value is not None}
    assert customized(ARCHITECTURES[name], overrides=own).row == row
