"""Does a written file answer as the model does? Measured on real pictures, never assumed."""

import numpy as np

from kcnn.evaluation.predictions import answer
from kcnn.exporting.programs import PROGRAMS

TOLERANCE = 1e-4
DROP = 0.02  # of the main metric, which a format that rounds may cost
TOGETHER = 8  # pictures, whose scores of every place are many numbers
COARSE_TOLERANCE = 2e-2  # a network that computes in 16 bits differs with the order of its sums


class ExportDisagrees(RuntimeError):
    """A written export does not answer as the model it came from."""


def compare(model, head, facts, images, ways, agreement=None):
    """{"pictures", "score_difference", "labels_agree"} of the written file's answers against the model itself.

    ways: {way to ask: function of images}, see `Exporter.load`; each is asked about some of the `images` at a time.

    score_difference is the largest of any class, picture (or place) and way to ask; labels_agree is a share of them.
    Raises `ExportDisagrees` above 1e-4, or where a label is not that of a best score; where an `agreement` is given,
    only where less than that share of the labels are the model's.
    """
    coarse = any(layer.compute_dtype in ("bfloat16", "float16") for layer in model.layers)
    tolerance = COARSE_TOLERANCE if coarse else TOLERANCE
    worst, agree = 0.0, 1.0
    for way, (difference, behind, equal) in _disagreements(model, head, facts, images, ways).items():
        wrong = f"the export's {way} differs from the model by {difference:.2g} in a score and "
        if agreement is None and not (difference <= tolerance and behind <= tolerance):
            raise ExportDisagrees(
                f"{wrong}{behind:.2g} in that of a label, over {len(images)} pictures; at most {tolerance:g} is allowed"
            )
        if agreement is not None and not equal >= agreement:
            raise ExportDisagrees(
                f"{wrong}in {1 - equal:.1%} of the labels, over {len(images)} pictures; at most {1 - agreement:.0%} "
                "is allowed"
            )
        worst, agree = max(worst, difference), min(agree, equal)
    return {"pictures": len(images), "score_difference": worst, "labels_agree": agree}


def scored(score, ask, metric, rounds):
    """{"metric", "score", "model_score"} of the written file's answers by `ask`; `score` as `export` takes it.

    Raises `ExportDisagrees` where a file that `rounds` falls behind the model by more than 0.02.
    """
    judge, model_score = score
    own = judge(ask)
    if rounds and not own >= model_score - DROP:
        raise ExportDisagrees(
            f"the export's {metric} is {own:.4f} and the model's {model_score:.4f}; at most {DROP:g} less is allowed"
        )
    return {"metric": metric, "score": own, "model_score": model_score}


def _disagreements(model, head, facts, images, ways):
    """{way to ask: what `disagreement` says over all `images`}, with no more than one part's answers in memory."""
    ask_model, rows = answer(model, head), {way: [] for way in ways}
    parts = [images[start : start + TOGETHER] for start in range(0, len(images), TOGETHER)]
    for part in parts:
        expected = ask_model(part)
        for way, ask in ways.items():
            rows[way].append(PROGRAMS[head.task].disagreement(expected, ask(part), facts))
    found = {}
    for way, columns in rows.items():
        difference, behind, equal = np.transpose(columns)
        share = np.average(equal, weights=[len(part) for part in parts])
        found[way] = float(difference.max()), float(behind.max()), float(share)
    return found
