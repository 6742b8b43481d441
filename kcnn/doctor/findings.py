"""What the doctor can find: one row each, with what it means and how to mend it."""

from dataclasses import dataclass

from kcnn.registry import Registry

SEVERE, WARNING, HINT = "severe", "warning", "hint"
SEVERITIES = (SEVERE, WARNING, HINT)
FINDINGS = Registry("finding")


@dataclass(frozen=True)
class Kind:
    """`severity`: severe (scores would mislead, or training refuses), warning or hint; `title` in a few words;
    `means`: what it does to training; `mend`: what to do."""

    severity: str
    title: str
    means: str
    mend: str


def _add(name, severity, title, means, mend):
    FINDINGS.add(name, Kind(severity, title, means, mend))


LEAVE_OUT = "leave them out: data.quarantine = quarantine.csv, which --out writes"

_add("refused", SEVERE, "training would refuse this data", "No training can start.", "follow what the message says")
_add("exact_across_splits", SEVERE, "the same picture in several splits",
     "What is scored was also learned: the score is too good to be true.", LEAVE_OUT)  # fmt: skip
_add("near_across_splits", SEVERE, "almost the same picture in several splits",
     "What is scored was learned in another encoding, size, crop or mirror image: the score is too good.",
     f"look at the pairs, then {LEAVE_OUT} for one side; or keep together what data.group_column names")  # fmt: skip
_add("listed_twice", SEVERE, "one file in several rows",
     "It counts several times, and what is scored may also be learned. quarantine.csv goes by names: it cannot leave "
     "out one row.", "delete all rows but one from the table")  # fmt: skip
_add("torn_groups", SEVERE, "groups in several splits",
     "Pictures of one group (a patient, a scene) are learned and scored: the score says little about new groups.",
     "leave data.split_column out, so that kcnn splits by group, or put each group into one split")  # fmt: skip
_add("class_not_in_training", SEVERE, "classes that training lacks",
     "They are scored but cannot be learned.", "give the training split pictures of them, or remove them")  # fmt: skip
_add("unreadable", WARNING, "files that cannot be read", "Training sets them aside, run after run.",
     "replace them, or save them anew as JPEG or PNG")  # fmt: skip
_add("truncated", WARNING, "truncated files", "The end of the file is missing; training sets them aside.",
     "copy or download them again")  # fmt: skip
_add("too_large", WARNING, "too many pixels", "A small file can unpack to gigabytes; it is refused before decoding.",
     "make them smaller, or raise data.max_pixels if they are yours")  # fmt: skip
_add("conflicting_duplicates", WARNING, "copies with different labels",
     "At least one of the labels is wrong or incomplete. Other wrong labels are not looked for here: see the worst "
     "mistakes in a run's report.", f"correct the labels, or {LEAVE_OUT}")  # fmt: skip
_add("exact_duplicates", WARNING, "the same picture several times",
     "It counts several times; a random split may put one copy into each part.", LEAVE_OUT)  # fmt: skip
_add("near_duplicates", HINT, "almost the same picture several times",
     "Re-encoded, resized, cropped or mirrored copies, or frames of one scene: they count several times.",
     "look at the pairs; if they are copies, add the names of all but one to quarantine.csv")  # fmt: skip
_add("empty_class", WARNING, "classes without a readable picture", "They are never learned and never scored.",
     "add pictures, or remove the folder or class")  # fmt: skip
_add("unbalanced", WARNING, "unbalanced classes", "A network may do well by never guessing the rare classes.",
     "read F1 beside accuracy; try train.class_weights = balanced")  # fmt: skip
_add("class_not_in_split", WARNING, "classes missing from a split", "The split says nothing about them.",
     "add pictures, or let kcnn split: data.validation and data.test")  # fmt: skip
_add("mask_set_aside", WARNING, "pictures and masks that are set aside",
     "A picture without a mask that can be used is not learned from, a mask without a picture neither.",
     "mend what the reason names; a mask is found by its picture's name")  # fmt: skip
_add("mask_size", WARNING, "masks of another size than their pictures",
     "Nobody knows what lies where: training sets both aside.",
     "save the mask in the picture's size, upright as it is seen")  # fmt: skip
_add("mask_of_one_class", HINT, "masks of a single class",
     "They show no border between classes, often by a lost layer.",
     "nothing, if there is nothing else to be seen in these pictures")  # fmt: skip
_add("rare_places", HINT, "classes that cover few places",
     "A network may do well by never naming them: pixel accuracy hides that, mean IoU does not.",
     "read mean IoU; try a loss with Dice in it, or balanced weights of the classes")  # fmt: skip
_add("blank", WARNING, "pictures of one colour", "There is nothing to see in them: often a failed export.",
     LEAVE_OUT)  # fmt: skip
_add("tiny", WARNING, "pictures below 8 px", "Hardly anything can be seen in them.", LEAVE_OUT)  # fmt: skip
_add("below_frame", HINT, "pictures less than half as large as the network's frame",
     "They are enlarged, and blurred by that.", "find larger originals, or set a smaller data.image_size")  # fmt: skip
_add("long", HINT, "pictures over three times as long as wide", "data.framing = crop shows the middle third at most.",
     "set data.framing to pad or stretch, or cut them")  # fmt: skip
_add("wrong_extension", HINT, "file names that say another format",
     "Training reads the content and is not misled; other programs may be.", "rename them")  # fmt: skip
_add("turned", HINT, "JPEGs that EXIF turns", "Training turns them upright; programs that ignore EXIF do not.",
     "nothing for kcnn; save them upright if others read them")  # fmt: skip
_add("turned_unread", WARNING, "PNG or WebP pictures that EXIF turns",
     "Training reads EXIF orientation in JPEG only: it sees them lying.", "save them upright")  # fmt: skip
_add("cmyk", HINT, "CMYK pictures", "Training reads them as RGB without a colour profile: colours may be off.",
     "convert them to RGB by their profile")  # fmt: skip
_add("sixteen_bit", HINT, "16-bit pictures", "Training keeps the upper 8 bits: dark scans may become black.",
     "stretch them to 8 bits, or give float arrays in an .npz file")  # fmt: skip
_add("palette", HINT, "palette pictures", "Training reads the palette's colours.", "nothing, if they are pictures; "
     "label maps are not")  # fmt: skip
_add("transparency", HINT, "transparent pictures",
     "Training drops transparency: what it hid is seen, often as black.", "put them on a background")  # fmt: skip
_add("animated", HINT, "animations", "Training sees the first frame only.", "save the frames you mean")  # fmt: skip
_add("mixed_colour", HINT, "grey and colour pictures together",
     "Grey ones are read as colour; if greyness goes with a class, that is what is learned.",
     "set data.channels = 1 if colour does not matter")  # fmt: skip
