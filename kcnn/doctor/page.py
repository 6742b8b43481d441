"""The doctor's folder: check.json, the page check.md with its figures, and quarantine.csv. Nothing else is touched."""

from pathlib import Path

import numpy as np
from pydantic import ValidationError

from kcnn.data.checks import examine
from kcnn.data.headers import upright_sizes
from kcnn.data.quarantine import spelled, written
from kcnn.data.reading import read
from kcnn.data.samples import Arrays, Files
from kcnn.disk import read_bounded, write_atomically
from kcnn.doctor import figures
from kcnn.doctor.boxed import write_boxes
from kcnn.doctor.findings import FINDINGS
from kcnn.doctor.masked import write_masks
from kcnn.doctor.record import Diagnosis
from kcnn.doctor.words import LIST, SET_ASIDE, amount, counted, line, pictures_of, share, summary, to_do
from kcnn.errors import UserError
from kcnn.evaluation.markdown import plain, table

FRAME = (112, 112, 3)
SINGLES, ROWS, LINES = 12, 9, 20
SEVERAL = ("exact_across_splits", "near_across_splits", "listed_twice", "conflicting_duplicates", "exact_duplicates",
           "near_duplicates", "torn_groups")  # fmt: skip

MASKS = "Training pictures in grey, under the colours of their classes; of a volume its middle."
BOXES = "Training pictures with the boxes of their objects, in the colours of the classes."
OURS = {"boxes.png", "check.json", "check.md", "quarantine.csv", "sizes.png", "classes.png", "masks.png",
        *(f"{kind}.png" for kind in FINDINGS)}  # fmt: skip


def write_page(diagnosis, dataset, folder, max_pixels):
    """Write the diagnosis of `dataset` into `folder`; returns the path of check.md.

    Raises `UserError` where the folder holds anything but an earlier check with its quarantine.csv as written.
    """
    folder = Path(folder)
    _claim(folder)
    drawn = {}
    if diagnosis.histograms:
        drawn["histograms"] = "sizes.png"
        figures.histograms(diagnosis.histograms, folder / drawn["histograms"])
    drawn["classes"] = "classes.png"
    figures.classes(diagnosis.splits, folder / drawn["classes"])
    if diagnosis.places and write_masks(dataset, folder / "masks.png", max_pixels):
        drawn["masks"] = "masks.png"
    if diagnosis.boxes and write_boxes(dataset, folder / "boxes.png", max_pixels):
        drawn["boxes"] = "boxes.png"
    pictures = _Pictures(dataset, max_pixels)
    for finding in diagnosis.findings:
        name = f"{finding.kind}.png"
        if _draw(finding, pictures, folder / name):
            drawn[finding.kind] = name
    write_atomically(folder / "check.json", diagnosis.model_dump_json(indent=1) + "\n")
    write_atomically(folder / "quarantine.csv", written(diagnosis.quarantine))
    write_atomically(folder / "check.md", page(diagnosis, drawn, folder))
    return folder / "check.md"


def page(diagnosis, drawn, folder):
    """check.md of a `folder` as text; `drawn` is {finding or plot: file name}."""
    parts = [f"# Check of {plain(diagnosis.name)}", f"**{summary(diagnosis)}**", _facts(diagnosis)]
    if diagnosis.quarantine:
        parts.append("quarantine.csv names the pictures that had better be left out, and why. Look through it, delete "
                     f"the lines you do not agree with, and train with `--set data.quarantine={folder / LIST}`. "
                     "No picture was changed.")  # fmt: skip
    if diagnosis.notes:
        parts.append("\n".join(f"- {plain(note)}" for note in diagnosis.notes))
    for finding in diagnosis.findings:
        parts += _section(finding, drawn.get(finding.kind), folder)
    parts += ["## Classes", f"![Pictures of each class]({drawn['classes']})"]
    if "masks" in drawn:
        parts += ["## Masks", MASKS, f"![Pictures with their masks]({drawn['masks']})"]
    if "boxes" in drawn:
        parts += ["## Boxes", BOXES, f"![Pictures with their boxes]({drawn['boxes']})"]
    if diagnosis.places:
        parts += ["## Places of masks", _places(diagnosis.places)]
    if "histograms" in drawn:
        title = "## Sizes, aspects, brightness and boxes" if diagnosis.boxes else "## Sizes, aspects and brightness"
        parts += [title, f"![How they are spread]({drawn['histograms']})"]
    return "\n\n".join(parts) + "\n"


def _facts(diagnosis):
    rows = [("recognised as", diagnosis.format), ("pictures", f"{diagnosis.pictures:,}"),
            ("readable", f"{diagnosis.readable:,}"),
            ("classes", f"{len(next(iter(diagnosis.splits.values()))):,}")]  # fmt: skip
    rows += [(f"split {split}", f"{pictures_of(diagnosis, split):,}") for split in diagnosis.splits]
    return table(("data", "value"), rows)


def _places(places):
    """A table: the share of each class among the places of a split's masks that are judged."""
    sums = {split: sum(counts.values()) for split, counts in places.items()}
    rows = [(name, *(share(counts[name], sums[split]) for split, counts in places.items()))
            for name in next(iter(places.values()))]  # fmt: skip
    return table(("class", *places), rows)


def _section(finding, file, folder):
    title = finding.title[0].upper() + finding.title[1:]
    yield f"## {title} ({finding.severity})"
    yield f"{amount(finding)}. {finding.means} **To do:** {to_do(finding, folder)}."
    if file:
        yield f"![{title}]({file})"
    shown = "\n".join(f"- {plain(line(case, finding.kind))}" for case in finding.cases[:LINES])
    more = len(finding.cases) - LINES
    yield shown + (f"\n- and {counted(more, 'more case')}, listed in check.json" if more > 0 else "")


def _draw(finding, pictures, path):
    """Draw the finding's pictures at `path`; False where there are none to be seen."""
    if finding.kind in SET_ASIDE or not finding.pictures:
        return False
    if finding.kind in SEVERAL:
        cases = _spread(finding.cases, ROWS)
        seen = [pictures(case.pictures[: figures.ACROSS]) for case in cases]
        figures.side_by_side(cases, seen, path)
        return True
    shown = _spread([(shown, case) for case in finding.cases for shown in case.pictures], SINGLES)
    captions = [
        (figures.shortened(one.name, 18), figures.shortened(case.detail if len(case.pictures) == 1 else one.label, 22))
        for one, case in shown
    ]
    figures.gallery(captions, pictures([one for one, _ in shown]), path)
    return True


def _spread(items, most):
    """At most so many of `items`, from the first to the last, so that not all are of one class."""
    return [items[i] for i in np.unique(np.linspace(0, len(items) - 1, most).astype(int))]


class _Pictures:
    """From pictures of the record to thumbnails (112, 112, 3), as training decodes them."""

    def __init__(self, dataset, max_pixels):
        self.max_pixels = max_pixels
        self.images = {spelled(split): samples.images for split, samples in dataset.splits.items()}
        self.places = {
            spelled(split): {spelled(name): i for i, name in enumerate(samples.names)}
            for split, samples in dataset.splits.items()
        }

    def __call__(self, pictures):
        return [self._one(shown) for shown in pictures]

    def _one(self, shown):
        images, place = self.images[shown.split], self.places[shown.split][shown.name]
        if isinstance(images, Arrays) and (images.values.dtype != np.uint8 or images.values.ndim != 4):
            return images.values[place]
        one = images.take([place])
        item = one.values[0] if isinstance(one, Arrays) else one.paths[0] if isinstance(one, Files) else one[0]
        frame = read([item], FRAME, framing="pad", max_pixels=self.max_pixels)[0][0]
        return _unpadded(frame, examine(one, self.max_pixels).headers[0])


def _unpadded(frame, header):
    """The part of `frame` that shows a picture of the `header` (5,): what is left of black is the picture's own."""
    sides = upright_sizes(header[None])[0]
    height, width = np.maximum(np.floor(sides / max(sides.max(), 1) * FRAME[0]).astype(int), 1)
    top, left = (FRAME[0] - height) // 2, (FRAME[1] - width) // 2
    return frame[top : top + height, left : left + width]


def _claim(folder):
    """Make the folder, or make sure that all in it is ours and unchanged."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--out {folder} is a file; give a folder")
    record, list_ = folder / "check.json", folder / "quarantine.csv"
    if folder.is_dir() and any(folder.iterdir()):
        try:
            earlier = Diagnosis.model_validate_json(read_bounded(record))
        except (UserError, ValidationError):
            raise UserError(f"--out {folder} holds other files; give a new folder") from None
        others = sorted({file.name for file in folder.iterdir() if not file.name.startswith(".")} - OURS)
        if others:
            raise UserError(f"--out {folder} holds other files, such as {others[0]}; give a new folder")
        if list_.exists() and list_.read_bytes() != written(earlier.quarantine):
            raise UserError(f"--out {folder}: {list_.name} was edited there; give a new folder, or delete that file")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder} cannot be made: {error.strerror}") from None
