"""May a checkpoint be gone on with, and will the bits be the same?"""

import logging

from kcnn.errors import UserError
from kcnn.training import runtime

log = logging.getLogger(__name__)


def identity(recipe):
    """What a resumed run must share with its checkpoint: the recipe, but for extensions, which may be added."""
    return recipe.model_dump(mode="json", exclude={"train": {"extensions"}})


def refuse_another(state, identity, extensions):
    """Raises `UserError`, with the differences, if a checkpoint's `state` is that of another training.

    Only extensions may have come since: they begin where the checkpoint ends.
    """
    changes = _changes(state["identity"], identity)
    before, now = state.get("extensions", []), [list(pair) for pair in extensions]
    if now[: len(before)] != before:
        changes.append(f"train.extensions {before} → {now}")
    if changes:
        raise UserError(f"resume continues only the same run, and this one was changed: {', '.join(changes)}")


def compare_environment(folder, step):
    """Say what makes bits differ from `step` on, note it in the run's events, and keep what this process runs on."""
    before = folder.environment()
    changed = runtime.environment_differences(before) if before else ["environment.json is missing or damaged"]
    if changed:
        log.warning("continues, not bit-identical, because %s", ", ".join(changed))
        folder.write_json("environment.json", before | runtime.environment())
    folder.log("resumed", step=step, changed=changed)


def _changes(before, now, path=""):
    """["train.epochs 3 → 4", …]: where two trees of dicts differ."""
    if not (isinstance(before, dict) and isinstance(now, dict)):
        return [f"{path} {before} → {now}"] if before != now else []
    keys = sorted({*before, *now})
    return [c for k in keys for c in _changes(before.get(k), now.get(k), f"{path}.{k}".removeprefix("."))]
