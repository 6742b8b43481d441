"""Does the shelf hold what it says, within bounds, and does README show it as it is?"""

import json
import re
import sys

import pytest

import kcnn
from kcnn.architectures import ARCHITECTURES, Row, family
from kcnn.architectures.history import History
from kcnn.errors import UserError
from kcnn.inspection import draw_stages, shelf
from kcnn.inspection.shelf import count
from kcnn.layers import conv_norm_act
from kcnn.registry import Registry
from tests import test_architectures_contract as contract
from tests.shelf_table import BEGIN, END, README, table
from tests.test_cli import kcnn as command
from tests.test_cli import refused


def test_readme_shows_the_shelf():
    shown = README.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown == "\n".join(table()) + "\n", "run `python -m tests.shelf_table`"


def test_every_architecture_stands_on_the_shelf_once():
    names = [entry.name for entry in shelf(toys=True)]
    assert sorted(names) == sorted(ARCHITECTURES) and len(set(names)) == len(names)
    assert not any(entry.name.endswith("_toy") for entry in shelf())


def test_every_family_but_the_teaching_net_has_its_history():
    assert {variant.family for variant in ARCHITECTURES.values() if variant.history is None} == {"simple_cnn"}
    for name, variant in ARCHITECTURES.items():
        ancestor = variant.history.ancestor if variant.history else None
        assert ancestor is None or ancestor in ARCHITECTURES, (name, ancestor)
        assert ancestor is None or ARCHITECTURES[ancestor].history.year <= variant.history.year, name


def test_bounds():
    small = shelf(max_parameters=3e6, max_multiply_adds=100e6, since=2015)
    assert {"resnet20", "mobilenet_v3_small"} <= {entry.name for entry in small}
    assert all(e.parameters <= 3e6 and e.multiply_adds <= 100e6 and e.year >= 2015 for e in small)
    assert [e.name for e in shelf(until=1998)] == ["lenet5"]
    assert {e.family for e in shelf(family="vgg")} == {"vgg"}
    assert kcnn.list_architectures(until=1998) == ["lenet5"]
    assert not shelf(max_parameters=0) and not shelf(max_multiply_adds=0)
    assert "vgg_toy" in kcnn.list_architectures() and "vgg_toy" not in kcnn.list_architectures(family="vgg")
    with pytest.raises(kcnn.UserError, match="unknown family 'resnetx': did you mean 'resne"):
        kcnn.list_architectures(family="resnetx")


def test_the_command_lists_within_bounds(capsys):
    status, out, _ = command(capsys, "list", "architectures", "--since", "2022", "--max-parameters", "30M", "--json")
    assert status == 0 and [entry["name"] for entry in json.loads(out)] == ["convnext_tiny"]
    status, out, _ = command(capsys, "list", "architectures", "--until", "1998")
    assert status == 0 and "lenet5" in out and "61,706" in out and "417 k" in out
    assert "is no number such as 500k" in refused(capsys, "list", "architectures", "--max-parameters", "many")
    assert "unknown family 'vvg': did you mean 'vgg'" in refused(capsys, "list", "architectures", "--family", "vvg")
    assert "are for `kcnn list architectures`" in refused(capsys, "list", "heads", "--json")


def test_an_ancestor_without_residual_branches_is_compared_with_in_spite_of_drop_path():
    found = kcnn.describe("resnet18", (64, 64, 3), style={"drop_path": 0.2})
    assert found.ancestor.name == "vgg19"


def test_bounds_and_shapes_that_say_nothing_are_refused():
    for bounds in ({"max_parameters": "8M"}, {"since": "2017"}):
        with pytest.raises(UserError, match="it must be a number"):
            kcnn.list_architectures(**bounds)
    for shape in ((None, None, 3), 224):
        with pytest.raises(UserError, match="must state all sides and the channels, such as \\(224, 224, 3\\)"):
            kcnn.describe("resnet_toy", shape)


def test_the_command_describes(capsys, tmp_path):
    words = ("describe", "resnet18", "--input", "64x64x3", "--classes", "10", "--out", tmp_path / "stages.png")
    status, out, _ = command(capsys, *words)
    assert status == 0 and "against vgg19 on the same input" in out and "2×2×512" in out and "sees 435 px" in out
    assert (tmp_path / "stages.png").read_bytes().startswith(b"\x89PNG")
    status, out, _ = command(capsys, "describe", "resnet_toy", "--input", "32x32x3", "--stem", "standard")
    assert status == 0 and "c5" in out and "small stem" not in out
    status, out, _ = command(capsys, "describe", "resnet_toy", "--input", "100x2", "--json")
    assert status == 0 and json.loads(out)["levels"][0]["shape"] == [50, 8]
    assert "must be sides and channels" in refused(capsys, "describe", "resnet18", "--input", "large")
    assert "unknown architecture" in refused(capsys, "describe", "resnet19")
    assert "is made for images of 2 spatial axes, not 1" in refused(capsys, "describe", "vit_toy", "--input", "64x3")


@pytest.fixture
def registry(monkeypatch):
    """All architectures, in a registry that a test may add to."""
    registry = Registry("architecture")
    for name, variant in ARCHITECTURES.items():
        registry.add(name, variant)
    for room in ("architectures.family", "models", "inspection.description", "inspection.shelf"):
        monkeypatch.setattr(sys.modules[f"kcnn.{room}"], "ARCHITECTURES", registry)
    monkeypatch.setattr(contract, "ARCHITECTURES", registry)
    return registry


def test_readme_adds_an_architecture(registry):
    (code,) = re.findall(r"```python\n(from kcnn.architectures .*?)```", README.read_text("utf-8"), re.DOTALL)
    exec(code)
    found = kcnn.describe("mine_toy")
    assert [level.stride for level in found.levels] == [2, 4] and found.parameters == 456


def test_a_new_family_is_described_listed_and_held_to_the_contract_from_one_file(registry, monkeypatch, tmp_path):
    monkeypatch.setattr(contract, "TOYS", ["mine_toy"])

    @family(
        dict.fromkeys(("mine", "mine_toy"), Row(params=456, image=(32, 32, 3), classes=4)),
        history=History(2030, "Mine", "lenet5", "two layers"),
    )
    def mine(x, row):
        """Only for this test."""
        x = conv_norm_act(x, 4, 3, strides=2, style=row.style, name="c1_1")
        return {"c1": x, "c2": conv_norm_act(x, 8, 3, strides=2, style=row.style, name="c2_1")}

    assert [entry.name for entry in shelf(since=2030, toys=True)] == ["mine", "mine_toy"]
    found = kcnn.describe("mine_toy")
    assert [level.field for level in found.levels] == [(3, 3), (7, 7)] and found.ancestor.name == "lenet5"
    assert found.multiply_adds == 16 * 16 * 27 * 4 + 8 * 8 * 36 * 8 + 8 * 4
    draw_stages(found, tmp_path / "mine.png")
    for rank in contract.SHAPES:
        contract.test_levels_of_odd_sizes("mine_toy", rank, "standard")
        contract.test_gradients_reach_everything_and_a_step_changes_it("mine_toy", rank)
    contract.test_published_count_and_levels("mine_toy")
    with pytest.raises(AssertionError, match="run `python -m tests.record_costs`"):
        contract.test_published_count_and_levels("mine")
    monkeypatch.setattr(contract, "COSTS", tmp_path / "costs.json")
    contract.COSTS.write_text(json.dumps({"mine": count("mine")}))
    contract.test_published_count_and_levels("mine")
    contract.test_paths_of_variables_are_unique_and_stable("mine_toy")
    contract.test_style_reaches_every_norm("mine_toy", "group")
    contract.test_save_and_load_equal("mine_toy", "pooled", tmp_path)


@pytest.mark.parametrize(
    ("name", "marks"), [("resnet_toy", "     "), ("vit_toy", "*"), ("swin_toy", "++++"), ("efficientnet_toy", " ****")]
)
def test_description_of_each_kind(name, marks):
    found = kcnn.describe(name, (224, 224, 3))
    assert found.multiply_adds > 0 and found.depth > 1 and found.levels
    assert "".join("*" if level.whole else "+" if level.windows else " " for level in found.levels) == marks
    told = "\n".join(found.lines())
    assert ("* and the whole image, by global" in told) == ("*" in marks)
    assert ("+ and more of the image, by attention within windows" in told) == ("+" in marks)


def test_bounds_that_nothing_meets_and_lower_case_units(capsys):
    assert "no architecture is within since = 2020, until = 2019" in refused(
        capsys, "list", "architectures", "--since", "2020", "--until", "2019"
    )
    status, out, _ = command(capsys, "list", "architectures", "--max-multiply-adds", "50m")
    assert status == 0 and "shufflenet" in out


def test_a_table_of_no_rows_is_refused():
    with pytest.raises(UserError, match="mine is {'width': 16}: it must be a Row"):
        family({"mine": {"width": 16}})(lambda x, row: {"c1": x})


def test_a_side_alone_is_no_shape():
    with pytest.raises(UserError, match=r"input_shape is \(224,\): it must be \(H, W, C\)"):
        kcnn.build_model("resnet_toy", input_shape=224)
