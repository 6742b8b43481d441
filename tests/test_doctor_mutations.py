"""Thousands of damaged pictures through check, doctor and stream, in a child process: no crash, hang or bomb."""

import json
import resource
import subprocess
import sys

import numpy as np
import pytest

from tests.spoiled import FORMATS, MODES, encode, picture

MAX_PIXELS = 4_000_000
MEGABYTES = 600  # beyond what the process had before: threads, each with a few pictures of MAX_PIXELS


def mutants(count, seed=0):
    """`count` damaged files: in turns flipped bits, cut ends, and wrong numbers in the header."""
    rng, frames = np.random.default_rng(seed), {"save_all": True, "append_images": [picture(seed=5)]}
    kinds = [(format, mode) for format in FORMATS for mode in MODES[format]]
    whole = [encode(picture((40, 30), mode, i), format) for i, (format, mode) in enumerate(kinds)]
    whole += [encode(picture((64, 48), seed=99), "JPEG", progressive=True), encode(picture(), "GIF", **frames)]
    whole += [encode(picture((64, 48), seed=98), "WEBP", lossless=True)]
    for n in range(count):
        data, way = bytearray(whole[n % len(whole)]), n // len(whole) % 3
        if way == 0:
            for place in rng.integers(0, 8 * len(data), rng.integers(1, 17)):
                data[place // 8] ^= 1 << (place % 8)
        elif way == 1:
            del data[rng.integers(0, len(data)) :]
        else:
            for place in rng.integers(0, min(64, len(data)), rng.integers(1, 9)):
                data[place] = rng.integers(0, 256)
        yield bytes(data)


def loaded(count):
    """What the child does; it prints one line of JSON."""
    from kcnn import data
    from kcnn.data.samples import Encoded, Samples, as_strings, numbered
    from kcnn.doctor.survey import survey
    from kcnn.recipe import Augment, Data

    def dataset(items):
        labels = np.arange(len(items), dtype=np.int32) % 2
        samples = Samples(Encoded(as_strings(items)), labels, numbered(len(items)))
        return data.DataSet({"train": samples}, ("a", "b"), False, "damaged")

    options, shape = Data(max_pixels=MAX_PIXELS), {"max_pixels": MAX_PIXELS, "num_classes": 2}
    sound = dataset([encode(picture(seed=i), "PNG") for i in range(2)])
    data.check(sound, options), survey(sound, options)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    damaged = dataset(list(mutants(count)))
    checked, seen = data.check(damaged, options), survey(damaged, options)
    good = checked.splits["train"]
    passes = [data.batches(good, (32, 32, 3), 16, training=False, **shape)]
    augment = Augment(crop_area=(0.1, 1), rotation=20, flip_horizontal=0.5)
    training = data.batches(good, (32, 32, 3), 16, training=True, augment=augment, **shape)
    read = sum(len(batch["image"]) for batch in passes[0]) + sum(
        len(batch["image"]) for batch in training.take(len(good) // 16)
    )
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {"count": count, "good": len(good), "agree": int(seen.readable.sum()), "read": read}
    told |= {"reasons": len({reason for _, reason in checked.set_aside}), "megabytes": (after - before) / 1024}
    sys.stdout.write(json.dumps(told) + "\n")


def through_a_child(count):
    code = f"from tests.test_doctor_mutations import loaded; loaded({count})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["count"] == count and told["agree"] == told["good"], told
    assert 0.1 * count < told["good"] < 0.6 * count, f"some damage is harmless, most is not: {told}"
    assert told["read"] > 1.5 * told["good"] and told["megabytes"] < MEGABYTES, told


def test_500_damaged_pictures_go_through_the_loader():
    through_a_child(500)


@pytest.mark.slow
def test_5000_damaged_pictures_go_through_the_loader():
    through_a_child(5000)
