"""The lines below report.md's headline: what a score is worth, in words that follow from the figures alone."""

from kcnn.evaluation.markdown import number, plain, span


def verdicts(split, figures):
    """The lines below the headline: against the baselines, what is weak, calibration, how often the split was used."""
    return [
        line
        for line in (
            _against_baselines(figures), *_weak(figures), _calibrated(figures.get("calibration") or {}),
            used(split, figures),
        ) if line
    ]  # fmt: skip


def _against_baselines(figures):
    baselines = figures.get("baselines") or {}
    plainest, linear = baselines.get("majority"), baselines.get("linear")
    if not plainest or plainest["accuracy"] is None or figures.get("accuracy") is None:
        return ""
    answer = plain(", ".join(plainest["answer"][:3]) or "no label")
    words = f"Without a network: always answering {answer}, the commonest in training, scores {_accuracy(plainest)}"
    if linear:
        how = "" if linear["converged"] else ", stopped early"
        part = f" on {linear['samples']} of the samples" if linear["samples"] < figures["samples"] else ""
        words += (
            f"; a linear model of {linear['values']} values of a small thumbnail, trained on {linear['trained_on']} "
            f"pictures{how}, scores {_accuracy(linear)}{part}"
        )
    best = max((row for row in (plainest, linear) if row), key=lambda row: row["accuracy"])
    return f"{words}. **{_verdict(figures, best, 'both' if linear else 'that')}**"


def _verdict(figures, rival, rivals):
    own, low = figures["accuracy"], figures["intervals"]["accuracy"][0]
    if low > rival["interval"][1]:
        return f"The network is clearly better than {rivals}."
    if own > rival["accuracy"]:
        return "The network is ahead, but the intervals overlap: so few pictures do not prove it."
    return "The network is no better than that: it has learned little that a far simpler model would not know."


def _accuracy(row):
    return f"{row['accuracy']:.2%} ({span('accuracy', row['interval'])})"


def _weak(figures):
    weak = sorted((row for row in figures.get("slices") or [] if row["weak"]), key=lambda row: row["accuracy"])
    for row in weak[:3]:
        yield (
            f"**Weak on {plain(row['by'])} = {plain(row['value'])}**: {number('accuracy', row['accuracy'])} "
            f"({span('accuracy', row['interval'])}) of {row['samples']} samples, clearly below the rest."
        )
    if len(weak) > 3:
        yield f"{len(weak) - 3} more weak slices are marked in the table of slices."


def _calibrated(found):
    if found.get("ece") is None:
        return ""
    over = sum(share * (score - right) for score, right, share, *_ in found["bins"])
    lean = "says more than it knows" if over > 0 else "is right more often than it says"
    words = f"Its scores are off by {found['ece']:.1%} on average (ECE)" + (
        f": it {lean}" if abs(over) > max(0.5 * found["ece"], 0.005) else ""
    )
    if found.get("ece_after") is not None:
        words += f"; {found['ece_after']:.1%} with the logits divided by {found['temperature']:.3g}, as in its answers"
    return words + "."


def used(split, figures):
    """How often a split that training never saw was looked at; "" where that is not counted."""
    times = figures.get("uses")
    if not times:
        return ""
    if times == 1:
        return f"The {plain(split)} split was used once: no earlier look at it is on record."
    return f"The {plain(split)} split was used {times} times: each look at it that led to a change makes it too kind."
