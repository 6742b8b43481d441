"""Checkpoints: all that a training needs to go on as if it had never stopped.

Two slots are written in turn. Each is a safetensors file and a manifest with its sha256, both replaced
atomically and the manifest last, so that at every instant at least one slot is whole; a damaged one is
noticed, named and passed over.
"""

import hashlib
import json
import logging

import numpy as np
from safetensors.numpy import load, save

from kcnn.disk import write_atomically
from kcnn.errors import UserError

SLOTS = ("a", "b")
log = logging.getLogger(__name__)


class Checkpoints:
    """The two checkpoints in `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self.newest = None

    def save(self, step, arrays, state):
        """Write `arrays` ({name: ndarray}) and `state` (JSON-able) as of `step` over the older slot.

        Raises `WriteError` if the disk refuses; the newest slot is whole then too.
        """
        slot = SLOTS[1 - SLOTS.index(self.newest)] if self.newest else self._older_slot()
        data = save({name: np.asarray(a, order="C") for name, a in arrays.items()})
        manifest = {"step": step, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "state": state}
        manifest["check"] = _digest(manifest)
        write_atomically(self._tensors(slot), data)
        write_atomically(self._manifest(slot), json.dumps(manifest))
        self.newest = slot

    def exist(self):
        """True if a checkpoint was ever completed: the first one's manifest, or a second one's tensors are there."""
        manifests = any(self._manifest(slot).exists() for slot in SLOTS)
        return manifests or all(self._tensors(slot).exists() for slot in SLOTS)

    def load(self):
        """(step, arrays, state) of the newest whole checkpoint; None if none was ever completed.

        A damaged slot is named in the log. Raises `UserError` if there are checkpoints and none is whole.
        """
        if not self.exist():
            return None
        found = [slot for slot in SLOTS if self._manifest(slot).exists() or self._tensors(slot).exists()]
        read = {slot: self._read(slot) for slot in found}
        whole = {slot: content for slot, content in read.items() if not isinstance(content, str)}
        damage = "; ".join(reason for reason in read.values() if isinstance(reason, str))
        if not whole:
            way = "start the run anew: kcnn fit with its recipe.toml"
            raise UserError(f"every checkpoint in {self.folder} is damaged ({damage}); {way}")
        self.newest = max(whole, key=lambda slot: whole[slot][0])
        if damage:
            log.warning("%s; the other checkpoint, of step %d, is used", damage, whole[self.newest][0])
        return whole[self.newest]

    def _read(self, slot):
        """(step, arrays, state) of a slot, or what is wrong with which file."""
        file = self._manifest(slot)
        try:
            text = file.read_bytes()
            content = json.loads(text)
            if json.dumps(content).encode() != text or content.pop("check") != _digest(content):
                raise ValueError("it was changed")
            file = self._tensors(slot)
            data = file.read_bytes()
            if hashlib.sha256(data).hexdigest() != content["sha256"]:
                raise ValueError(f"its sha256 is not the one in {self._manifest(slot).name}")
            return content["step"], load(data), content["state"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            return f"checkpoint {file} is damaged: {getattr(error, 'strerror', None) or error}"

    def _older_slot(self):
        steps = {}
        for slot in SLOTS:
            try:
                steps[slot] = json.loads(self._manifest(slot).read_text("utf-8"))["step"]
            except (OSError, ValueError, KeyError, TypeError):
                return slot
        return min(steps, key=steps.get)

    def _tensors(self, slot):
        return self.folder / f"{slot}.safetensors"

    def _manifest(self, slot):
        return self.folder / f"{slot}.json"


def _digest(manifest):
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
