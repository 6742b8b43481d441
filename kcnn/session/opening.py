"""How a session begins: its data read and checked, its network built, its run folder made or found again."""

import functools
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path

from kcnn import advice, data, training
from kcnn.errors import UserError
from kcnn.heads import HEADS
from kcnn.progress import bars
from kcnn.recipe import IN_MEMORY
from kcnn.run_folder import RunFolder
from kcnn.session.earlier import begin
from kcnn.session.network import as_its_head_needs, build, settle_precision
from kcnn.spectator import Spectator
from kcnn.training import runtime

log = logging.getLogger(__name__)
SHOWN = 5  # unreadable files that are named when a training starts


@dataclass
class Session:
    """What one training stands on: where (nowhere in a dry run), what, on which data, with which network.

    `model` is what is trained: with the family's auxiliary outputs, if it has some.
    """

    folder: RunFolder | None
    recipe: object
    dataset: object
    facts: object
    model: object
    head: object
    engine: object = None
    team: training.Team = field(default_factory=training.Team)
    loaded: dict = field(default_factory=dict)
    tried: dict = field(default_factory=dict)
    began: float = field(default_factory=runtime.cpu_seconds)


def open_data(recipe, source=None, class_names=None):
    """The checked `DataSet` of a recipe; `source` stands in for an address when the data is in memory.

    With the `class_names` of a run it is data to be scored and not to be learned from: see `data.load`.
    """
    address = recipe.data.source if source is None else source
    found = data.load(address, recipe.data, recipe.runtime.seed, class_names, wanted(recipe))
    with bars() as tell:
        progress = functools.partial(tell, "reading pictures")
        checked = data.check(found, recipe.data, progress, training=class_names is None)
        if recipe.data.cache == "none":
            return checked
        told = functools.partial(tell, "filling the cache")
        return data.cached(checked, recipe.data.cache, told, training.workers_here())


def wanted(recipe):
    """What a recipe's head learns beside labels and masks: see `data.load`."""
    head = HEADS[recipe.model.head]
    if head.task != "boxes":
        return None
    return "outlines" if head.outlines or recipe.augment.copy_paste else "boxes"


def prepare(recipe, source=None):
    """A session without a run folder: data read and checked, network built. Raises `UserError` at every door."""
    recipe = as_its_head_needs(recipe)
    data.policy_of(recipe.augment)  # its mistakes are told before pictures are read
    team = _team(recipe)
    with team.together():
        dataset = open_data(recipe, source)
        facts = data.facts_of(dataset, recipe)
        if facts.framing == "pad" and recipe.augment.fill:  # also where the recipe leaves the framing open
            raise UserError("augment.fill must be 0 where pictures are padded: margins are black in serving too")
        with team.scope():
            recipe, facts, model, head, loaded = begin(recipe, facts)
    for place, reason in dataset.set_aside[:SHOWN]:
        log.warning("set aside: %s: %s", place, reason)
    if len(dataset.set_aside) > SHOWN:
        log.warning("and %d more: `kcnn check` names them all", len(dataset.set_aside) - SHOWN)
    for note in dataset.notes:
        log.info(note)
    return Session(None, recipe, dataset, facts, model, head, team=team, loaded=loaded)


def _team(recipe):
    """This process, prepared as [runtime] says, in its `Team`; raises `UserError` if that cannot train the recipe."""
    runtime.prepare(recipe.runtime)
    team = training.team_of(recipe.runtime)
    team.check(recipe.train)
    return team


def start(recipe, source=None, name=None):
    """A fresh session: prepared, and with a run folder."""
    opened = prepare(recipe, source)
    team = opened.team
    with team.together():
        opened = settle_precision(opened)
        recipe, stem = opened.recipe, f"{opened.recipe.model.architecture}-{opened.dataset.name}"
        folder = shared_folder(team, lambda: RunFolder.create(recipe.runtime.runs, name, stem))
    if not team.is_chief:
        return replace(opened, folder=folder)
    try:
        folder.write_recipe(recipe)
        opened.facts.write(folder.facts_file)
        folder.write_json("environment.json", runtime.environment(*team.size))
        folder.set_status(state="preparing", epoch=0, epochs=recipe.train.last_epoch)
        folder.log("started", precision=opened.tried, **opened.loaded)
        for text in advice.before(recipe, opened.facts, opened.model.layers, team.workers):
            warn(folder, text)
    except UserError:
        folder.discard()
        raise
    return replace(opened, folder=folder)


def shared_folder(team, make):
    """The run folder that `make` gives on the chief; on other workers a `Spectator` of it, or the chief's error."""
    made, told = None, ""
    if team.is_chief:
        try:
            made = make()
            told = str(made.path.resolve())
        except UserError as error:
            made, told = error, f"!{error}"
    told = team.tell(told)
    if isinstance(made, UserError):
        raise made
    if told.startswith("!"):
        raise UserError(told[1:])
    if made is None and not Path(told).is_dir():
        raise UserError(
            f"worker {team.worker} does not see {told}: runtime.runs must be a folder that all workers share"
        )
    return made or Spectator(told)


def warn(folder, text):
    """Say what the user should know, and keep it for the report."""
    log.warning(text)
    folder.log("warning", text=text)


def reopen(folder, source=None, built=None):
    """The session of an earlier run, its data read again; raises `UserError` if the data is not the same.

    `built` is its (model, head), if they are at hand. Else they are made to be trained on, and the process is prepared.
    """
    recipe, facts = folder.recipe(), data.Facts.read(folder.facts_file)
    team = _team(recipe) if built is None else training.Team()
    if source is None and recipe.data.source == IN_MEMORY:
        raise UserError(f"run {folder.name} was trained on data in memory; give the same data again")
    dataset = open_data(recipe, source)
    if dataset.fingerprint != facts.fingerprint:
        raise UserError(f"the data of run {folder.name} has changed since it began; start a new run instead")
    with team.together(folder.path), team.scope():
        if built is None and not training.Checkpoints(folder.checkpoints).exist():
            built = begin(recipe, facts)[2:4]  # it was killed before its first checkpoint
        model, head = built or build(recipe, facts, auxiliary=True)
    folder = folder if team.is_chief else Spectator(folder.path)
    return Session(folder, recipe, dataset, facts, model, head, team=team)
