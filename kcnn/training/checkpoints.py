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

from kcnn.errors import UserError
from kcnn.run_folder import write_atomically

SLOTS = ("a", "b")
log = logging.getLogger(__name__)


class Checkpoints:
    """The two checkpoints in `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self.newest = None

    def save(self, step, arrays, state):
        """Write `arrays` ({name: ndarray}) and `state` (JSON-able) as of `step` over the older slot."""
        slot = SLOTS[1 - SLOTS.index(self.newest)] if self.newest else self._older_slot()
        data = save({name: np.asarray(a, order="C") for name, a in arrays.items()})
        manifest = {"step": step, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "state": state}
        manifest["check"] = _digest(manifest)
        write_atomically(self.folder / f"{slot}.safetensors", data)
        write_atomically(self.folder / f"{slot}.json", json.dumps(manifest))
        self.newest = slot

    def load(self):
        """(step, arrays, state) of the newest whole checkpoint; None if none was ever written.

        Raises `UserError` if there are checkpoints and none is whole.
        """
        found = [s for s in SLOTS if (self.folder / f"{s}.json").exists()]
        whole = {slot: content for slot in found if (content := self._read(slot))}
        if found and not whole:
            raise UserError(f"every checkpoint in {self.folder} is damaged; start the run anew")
        self.newest = max(whole, key=lambda slot: whole[slot][0], default=None)
        return whole.get(self.newest)

    def _read(self, slot):
        tensors, manifest = self.folder / f"{slot}.safetensors", self.folder / f"{slot}.json"
        try:
            content = json.loads(manifest.read_text("utf-8"))
            data = tensors.read_bytes()
            if content.pop("check") != _digest(content):
                raise ValueError("its manifest was changed")
            if hashlib.sha256(data).hexdigest() != content["sha256"]:
                raise ValueError("its sha256 differs from the manifest's")
            return content["step"], load(data), content["state"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            log.warning("checkpoint %s is damaged (%s); the other one is used", tensors, error)
            return None

    def _older_slot(self):
        steps = {}
        for slot in SLOTS:
            try:
                steps[slot] = json.loads((self.folder / f"{slot}.json").read_text("utf-8"))["step"]
            except (OSError, ValueError, KeyError, TypeError):
                return slot
        return min(steps, key=steps.get)


def _digest(manifest):
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
