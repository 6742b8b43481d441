"""A diagnosis in plain text: counts, first examples, and what to do."""

from pathlib import Path

LIST = "quarantine.csv"
EXAMPLES = 5
MOST_CLASSES = 20
SET_ASIDE = ("unreadable", "truncated", "too_large", "mask_set_aside", "mask_size")


def text(diagnosis, examples=EXAMPLES, folder=None):
    """Lines for a terminal; of each finding the first `examples` cases. `folder`: where the page was written, if so."""
    yield f"{diagnosis.name}: {diagnosis.format}; {counted(diagnosis.pictures, 'picture')}, " + (
        "all of them readable" if diagnosis.readable == diagnosis.pictures else f"{diagnosis.readable} readable"
    )
    for split in diagnosis.splits:
        yield f"  {split}: {counted(pictures_of(diagnosis, split), 'picture')}"
    names = list(next(iter(diagnosis.splits.values())))
    more = f" and {len(names) - MOST_CLASSES} more" if len(names) > MOST_CLASSES else ""
    yield f"  classes: {', '.join(names[:MOST_CLASSES])}{more}"
    if places := diagnosis.places.get("train"):
        shares = [f"{name} {share(count, sum(places.values()))}" for name, count in places.items()]
        yield f"  places of train: {', '.join(shares[:MOST_CLASSES])}{more}"
    yield from (f"  note: {note}" for note in diagnosis.notes)
    for finding in diagnosis.findings:
        yield ""
        yield f"{finding.severity}: {finding.title}: {amount(finding)}"
        yield f"  {finding.means}"
        yield from (f"    {line(case, finding.kind)}" for case in finding.cases[:examples])
        if len(finding.cases) > examples:
            yield f"    and {len(finding.cases) - examples} more"
        yield f"  To do: {to_do(finding, folder)}."
    yield ""
    yield summary(diagnosis)


def pictures_of(diagnosis, split):
    """How many pictures a split has: a picture may have several classes, or none."""
    return diagnosis.sizes.get(split, sum(diagnosis.splits[split].values()))


def share(part, whole):
    """ "12.3 %"."""
    return f"{100 * part / max(whole, 1):.3g} %"


def to_do(finding, folder=None):
    """How to mend it; with the list's own name where it was written into `folder`."""
    if folder is None:
        return finding.mend
    return finding.mend.replace(f"{LIST}, which --out writes", LIST).replace(LIST, str(Path(folder) / LIST))


def summary(diagnosis):
    """One line: how many findings of which severity, and how many pictures are worth leaving out."""
    if not diagnosis.findings:
        return "Nothing was found that training or scores could suffer from."
    kinds = [finding.severity for finding in diagnosis.findings]
    counts = ", ".join(f"{kinds.count(severity)} {severity}" for severity in dict.fromkeys(kinds))
    line = f"{counted(len(kinds), 'finding')}: {counts}."
    if diagnosis.quarantine:
        line += f" {counted(len(diagnosis.quarantine), 'picture')} had better be left out."
    return line


def amount(finding):
    """How much of it there is: "3 cases, 7 pictures"."""
    cases = counted(len(finding.cases), "case")
    if all(len(case.pictures) == 1 for case in finding.cases):
        return counted(finding.pictures, "picture")
    return f"{cases}, {counted(finding.pictures, 'picture')}" if finding.pictures else cases


def line(case, kind="", most=4):
    """One case on one line: pictures (with split or class where they differ) and what was seen."""
    several = {name: len({getattr(shown, name) for shown in case.pictures}) > 1 for name in ("split", "label")}
    names = []
    for shown in case.pictures[:most]:
        told = [getattr(shown, name) for name, differs in several.items() if differs]
        names.append(shown.name + (f" ({', '.join(told)})" if told else ""))
    if len(case.pictures) > most:
        names.append(f"{len(case.pictures) - most} more")
    words = ": ".join(part for part in (" = ".join(names), case.detail) if part)
    return f"set aside: {words}" if kind in SET_ASIDE else words


def counted(number, noun):
    """ "1 picture", "2 pictures"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
