"""What the report says of a run's exports, from what parity.json says of each."""

from kcnn.evaluation.markdown import number, short_name, table

MEBIBYTE = 2**20


def section(parity):
    """The paragraphs of report.md about {format: what parity.json says}."""
    if not parity:
        return []
    times = _times(parity)
    head = ["format", "MiB", "same answers", "largest difference", "score, and the model's"]
    head += [f"ms for {count} (95 % below), times the model's speed" for count in times]
    rows = []
    for name, row in parity.items():
        score = "not measured"
        if "score" in row:
            key = row["metric"]
            score = f"{short_name(key)} {number(key, row['score'])}, {number(key, row['model_score'])}"
        shares = [f"{row['labels_agree']:.2%}", f"{row['score_difference']:.1g}", score]
        speeds = (_in_words(found.get(name)) for found in times.values())
        rows.append([name, f"{row['bytes'] / MEBIBYTE:.1f}", *shares, *speeds])
    words = "Each was run by its own runtime; they and the model took turns on this machine."
    return ["## Exports", " ".join([words, *fastest(parity)]), table(head, rows)]


def fastest(parity):
    """Sentences that name the fastest format for each number of pictures at once."""
    for count, times in _times(parity).items():
        name, best = min(times.items(), key=lambda pair: pair[1]["p50"])
        pictures, ratio = "one picture" if count == "1" else f"{count} pictures", best["model"] / best["p50"]
        yield f"For {pictures} at once {name} is fastest here: {best['p50']:.3g} ms, {ratio:.2f}× the model."


def _times(parity):
    """{"1": {format: {"p50", "p95", "model"}}, "8": …} of what was timed; earlier versions wrote single numbers."""
    found = {}
    for name, row in parity.items():
        for count, times in row.get("milliseconds", {}).items():
            if isinstance(times, dict):
                found.setdefault(count, {})[name] = times
    return found


def _in_words(times):
    return f"{times['p50']:.3g} ({times['p95']:.3g}), {times['model'] / times['p50']:.2f}×" if times else "not timed"
