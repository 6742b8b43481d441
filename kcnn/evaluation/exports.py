"""What the report says of a run's exports, from what parity.json says of each."""

from kcnn.evaluation.markdown import number, short_name, table

MEBIBYTE = 2**20


def section(parity):
    """The paragraphs of report.md about {format: what parity.json says}."""
    if not parity:
        return []
    counts = list(dict.fromkeys(count for row in parity.values() for count in row.get("milliseconds", {})))
    head = ["format", "MiB", "same answers", "largest difference", "score, and the model's"]
    head += [f"ms for {count} (95 % below), times the model's speed" for count in counts]
    rows = []
    for name, row in parity.items():
        score = "not measured"
        if "score" in row:
            key = row["metric"]
            score = f"{short_name(key)} {number(key, row['score'])}, {number(key, row['model_score'])}"
        rows.append([name, f"{row['bytes'] / MEBIBYTE:.1f}", f"{row['labels_agree']:.2%}",
                     f"{row['score_difference']:.1g}", score, *(_time(row, count) for count in counts)])  # fmt: skip
    words = "Each was run by its own runtime; they and the model took turns on this machine."
    return ["## Exports", " ".join([words, *fastest(parity)]), table(head, rows)]


def fastest(parity):
    """Sentences that name the fastest format for each number of pictures at once."""
    counts = dict.fromkeys(count for row in parity.values() for count in row.get("milliseconds", {}))
    for count in counts:
        times = {name: row["milliseconds"][count] for name, row in parity.items() if "milliseconds" in row}
        best = min(times, key=lambda name: times[name]["p50"])
        ratio = times[best]["model"] / times[best]["p50"]
        pictures = "one picture" if count == "1" else f"{count} pictures"
        yield f"For {pictures} at once {best} is fastest here: {times[best]['p50']:.3g} ms, {ratio:.2f}× the model."


def _time(row, count):
    found = row.get("milliseconds", {}).get(count)
    return f"{found['p50']:.3g} ({found['p95']:.3g}), {found['model'] / found['p50']:.2f}×" if found else "not timed"
