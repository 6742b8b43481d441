"""A room may import only rooms listed before it, and apps only the public face: read from the source."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = [
    "layers",
    "boxes",
    "data",
    "architectures",
    "heads",
    "models",
    "training",
    "pretrained",
    "evaluation",
    "doctor",
    "inspection",
    "answers",
]
ROOMS += [
    "exporting",
    "catalogue",
    "views",
    "baselines",
    "scoring",
    "robustness",
    "comparison",
    "comparison_table",
    "advice",
    "conversion",
    "workers",
    "session",
    "forecast",
    "planning",
    "rate_finder",
    "rehearsal",
    "explaining",
    "model_card",
    "run_record",
    "run",
    "own_model",
    "api",
    "listing",
    "repeats",
    "demo",
    "answering_process",
    "cli",
    "__init__",
    "__main__",
]
FOR_ALL = {
    "errors",
    "masks",
    "processor",
    "registry",
    "recipe",
    "resources",
    "run_folder",
    "spectator",
    "trainings",
    "plugins",
    "archive_entries",
    "archives",
}
FOR_ALL |= {"disk", "memory", "progress", "resolving"}


def imported(path):
    """Full module names that the file imports, at any depth of its code; relative imports are resolved."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(package[: len(package) - node.level]) if node.level else ""
            module = ".".join(part for part in (start, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "kcnn":
            yield f"kcnn.{node.attr}"


def room_of(name):
    """The room of a module name such as kcnn.data.decode; None for what is not ours; "__init__" for kcnn itself."""
    package, _, rest = name.partition(".")
    if package != "kcnn" or rest in ("", "__version__"):
        return None
    room = rest.partition(".")[0]
    return room if room in ROOMS or room in FOR_ALL else "__init__"


def room_file(path):
    parts = path.relative_to(ROOT / "kcnn").with_suffix("").parts
    return parts[0]


SOURCES = sorted((ROOT / "kcnn").rglob("*.py"))


def test_there_is_source_to_read():
    assert len(SOURCES) > 20
    assert {room_file(path) for path in SOURCES} - FOR_ALL - set(ROOMS) == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_rooms_before_it(path):
    room = room_file(path)
    allowed = FOR_ALL if room in FOR_ALL else FOR_ALL | set(ROOMS[: ROOMS.index(room) + 1])
    wrong = {name for name in imported(path) if room_of(name) is not None and room_of(name) not in allowed}
    assert not wrong, f"{room} may not import {sorted(wrong)}"


@pytest.mark.parametrize("path", sorted((ROOT / "apps").rglob("*.py")), ids=lambda path: path.name)
def test_apps_use_the_public_face_only(path):
    names = set(imported(path))
    assert not {name for name in names if name.split(".")[0] in {"keras", "tensorflow", "tf_keras"}}
    assert not {n for n in names if room_of(n) not in {None, "__init__", "api", "recipe", "resources", "errors"}}


def test_the_reader_sees_relative_and_nested_imports(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    path = tmp_path / "kcnn" / "data" / "some.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "def f():\n    from ..training import engine\n    from . import decode\n    import kcnn.api\n    kcnn.cli\n"
    )
    assert {room_of(name) for name in imported(path)} == {"training", "data", "api", "cli"}
