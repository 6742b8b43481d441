"""May a checkpoint be gone on with, and will the bits be the same?"""

import logging

from kcnn.errors import UserError
from kcnn.recipe import Recipe, flat
from kcnn.training import runtime

log = logging.getLogger(__name__)


def identity(recipe):
    """What a resumed run must share with its checkpoint: the recipe, but for extensions, which may be added."""
    return recipe.model_dump(mode="json", exclude={"train": {"extensions"}})


KNOWN = flat(identity(Recipe()))


def refuse_another(state, identity, extensions):
    """Raises `UserError`, with the differences, if a checkpoint's `state` is that of another training.

    Only extensions may have come since: they begin where the checkpoint ends. A field that the recipe did not have
    when the checkpoint was written had its default.
    """
    before, now = KNOWN | flat(state["identity"]), KNOWN | flat(identity)
    keys = sorted(key for key in before | now if before.get(key) != now.get(key))
    changes = [f"{key} {before.get(key)} → {now.get(key)}" for key in keys]
    before, now = state.get("extensions", []), [list(pair) for pair in extensions]
    if now[: len(before)] != before:
        changes.append(f"train.extensions {before} → {now}")
    if changes:
        raise UserError(f"resume continues only the same run, and this one was changed: {', '.join(changes)}")


def tell_lost(folder, step):
    """Say how many steps a kill has cost, if the run had come further than the checkpoint at `step`."""
    lost = folder.status().get("step", step) - step
    if lost > 0:
        log.info("%d or more steps after the last checkpoint were lost and are taken again", lost)


def compare_environment(folder, step, team):
    """Say what makes bits differ from `step` on, note it in the run's events, and keep what this process runs on."""
    before, now = folder.environment(), runtime.environment(*team.size)
    changed = runtime.environment_differences(before, now) if before else ["environment.json is missing or damaged"]
    if changed:
        log.warning("continues, not bit-identical, because %s", ", ".join(changed))
        folder.write_json("environment.json", before | now)
    folder.log("resumed", step=step, changed=changed)
