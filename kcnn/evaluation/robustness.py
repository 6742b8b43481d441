"""What the report says of robustness: the score on corrupted and on adversarial pictures, as text and as plots."""

import numpy as np

from kcnn.evaluation.markdown import name, number, plain, short_name, table
from kcnn.evaluation.theme import BLUE, GREEN, GREY, INK, ORANGE, RED, new_figure, save, styled

KINDS = {
    "noise": (ORANGE, ("gaussian_noise", "shot_noise", "impulse_noise")),
    "blur": (GREEN, ("defocus_blur", "motion_blur", "zoom_blur")),
    "light": (BLUE, ("fog", "brightness", "contrast", "saturation")),
    "storage": ("#CC79A7", ("pixelate", "jpeg")),
}
ATTACKS = {"fgsm": (ORANGE, "FGSM, one step"), "pgd": (RED, "PGD, ten steps")}
READING = (
    "Corruptions are those of Hendrycks & Dietterich 2019 at their five strengths, laid over pictures as the network "
    "sees them. Attacks change each value by no more than so many of 255 grey levels, along the gradient of the "
    "network's own loss: FGSM (Goodfellow et al. 2015) in one step, PGD (Madry et al. 2018) in ten. Most "
    "networks that are not trained against attacks fall far under changes that nobody sees."
)


def section(figures, drawn):
    """The paragraphs of report.md about `figures`, as `kcnn.robustness.measure` gives them; drawn: {plot: file}."""
    if not figures:
        return []
    key, levels, means = figures["metric"], len(next(iter(figures["corruptions"].values()))), _means(figures)
    head = ("corruption", *(f"strength {level + 1}" for level in range(levels)), "mean")
    rows = [(_words(what), *(number(key, value) for value in values), number(key, means[what]))
            for what, values in sorted(figures["corruptions"].items(), key=lambda pair: means[pair[0]])]  # fmt: skip
    attack_head = (f"{name(key)} under", *(f"{epsilon:g} of 255" for epsilon in figures["epsilons"]))
    attacks = [(ATTACKS[what][1], *(number(key, value) for value in values))
               for what, values in figures["attacks"].items()]  # fmt: skip
    pictures = [f"![{title}]({drawn[key]})" for key, title in
                (("robustness", "Robustness"), ("corruptions", "Corruptions")) if key in drawn]  # fmt: skip
    return ["## Robustness", _headline(figures), *pictures, table(head, rows), table(attack_head, attacks), READING]


def summary(figures):
    """The same as lines of plain text, without what each strength gives."""
    key, means = figures["metric"], _means(figures)
    yield _headline(figures)
    for what in sorted(means, key=means.get):
        yield f"{_words(what):22s} {number(key, means[what])}"
    for what, values in figures["attacks"].items():
        each = (f"{number(key, v)} at {epsilon:g}" for epsilon, v in zip(figures["epsilons"], values, strict=True))
        yield f"{ATTACKS[what][1]:22s} {', '.join(each)}"


def _headline(figures):
    key, means = figures["metric"], _means(figures)
    worst = min(means, key=means.get)
    return (
        f"{short_name(key)} of {figures['samples']} pictures of {plain(figures['split'])}: "
        f"{number(key, figures['clean'])} as they are, {number(key, figures['corrupted'])} in the mean of all "
        f"corruptions; {_words(worst)} costs most ({number(key, means[worst])})."
    )


def _means(figures):
    """{corruption: the mean over its strengths}."""
    return {what: float(np.mean(values)) for what, values in figures["corruptions"].items()}


@styled
def curves(figures, path):
    """The score over the strength of each corruption, and over the largest change of each attack, as a PNG."""
    figure = new_figure(9.2, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    strengths = range(6)
    for kind, (colour, names) in KINDS.items():
        for i, what in enumerate(one for one in names if one in figures["corruptions"]):
            values = [figures["clean"], *figures["corruptions"][what]]
            left.plot(strengths, values, color=colour, linewidth=1, alpha=0.7, label=None if i else kind)
    mean = np.mean([[figures["clean"], *values] for values in figures["corruptions"].values()], 0)
    left.plot(strengths, mean, color=INK, linewidth=2.5, label="mean of all")
    left.set(title="Common corruptions", xlabel="strength (0: as it is)", ylabel=short_name(figures["metric"]))
    for what, values in figures["attacks"].items():
        colour, label = ATTACKS[what]
        right.plot(range(len(values) + 1), [figures["clean"], *values], color=colour, marker="o", label=label)
    right.set(title="Attacks", xlabel="largest change of a value, in grey levels of 255",
              xticks=range(len(figures["epsilons"]) + 1), xticklabels=["0", *(f"{e:g}" for e in figures["epsilons"])],
              ylim=(0, None))  # fmt: skip
    for axes in (left, right):
        axes.grid(True, axis="y")
        axes.axhline(figures["clean"], color=GREY, linewidth=1, linestyle=":")
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.14), ncols=3)
    save(figure, path)


@styled
def gallery(examples, path):
    """One picture under each corruption at each strength, as a PNG; `examples` as `kcnn.robustness.example` has it."""
    columns = len(next(iter(examples.values())))
    figure = new_figure(0.8 * columns + 1.3, 0.82 * len(examples) + 0.3)
    grid = figure.subplots(len(examples), columns, squeeze=False)
    for row, (line, (what, images)) in enumerate(zip(grid, examples.items(), strict=True)):
        for column, (axes, image) in enumerate(zip(line, images, strict=True)):
            axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if not row:
                axes.set_title("as it is" if not column else str(column), fontsize=9, loc="center")
        line[0].set_ylabel(_words(what), rotation=0, ha="right", va="center", fontsize=9)
    save(figure, path)


def _words(what):
    return "JPEG" if what == "jpeg" else what.replace("_", " ")
