"""The doctor's answer: a record that is JSON, and from which text, page and quarantine list are made."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from kcnn.data.quarantine import spelled
from kcnn.doctor.findings import FINDINGS, SEVERE, SEVERITIES

Text = Annotated[str, BeforeValidator(spelled)]  # file names may hold bytes that JSON cannot


class Part(BaseModel):
    """A part of the record: frozen, and without other keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shown(Part):
    """One picture: what the user calls it, its split and its class."""

    name: Text
    split: Text
    label: Text


class Case(Part):
    """One case of a finding: the pictures it is about (none: a class or a split is meant) and what was seen."""

    pictures: tuple[Shown, ...] = ()
    detail: Text = ""


class Finding(Part):
    """All cases of one kind, a name in FINDINGS; the other words are that row's."""

    kind: Text
    severity: Text
    title: Text
    means: Text
    mend: Text
    pictures: int
    cases: tuple[Case, ...]


class Histogram(Part):
    """How a measure is spread over the pictures, or over `what` else is counted.

    `counts` lie between consecutive `edges`, whose steps or, if `logarithmic`, ratios are equal.
    """

    title: Text
    unit: Text
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    median: float
    logarithmic: bool = False
    what: Text = "pictures"


class Diagnosis(Part):
    """What the doctor says of one data set; `written_by` marks the file that holds it as ours.

    `splits` is {split: {class: pictures}} as read, before anything is set aside, `sizes` {split: pictures}, `places`
    {split: {class: places of masks}} and `boxes` whether there are objects; `quarantine` is (name, reason) of what
    training had better leave out.
    """

    written_by: Literal["kcnn check"]
    name: Text
    format: Text
    pictures: int
    readable: int
    splits: dict[Text, dict[Text, int]]
    sizes: dict[Text, int] = {}
    places: dict[Text, dict[Text, int]] = {}
    boxes: bool = False
    notes: tuple[Text, ...]
    findings: tuple[Finding, ...]
    histograms: tuple[Histogram, ...]
    quarantine: tuple[tuple[Text, Text], ...]

    @property
    def is_severe(self):
        """True if a severe finding says that training would fail or its scores mislead."""
        return any(finding.severity == SEVERE for finding in self.findings)

    def of(self, kind):
        """The cases of one kind of finding: a tuple, empty if there are none."""
        row = FINDINGS[kind]
        return next((finding.cases for finding in self.findings if FINDINGS[finding.kind] is row), ())


def findings_of(cases):
    """Findings in order of severity, then of FINDINGS, from {kind: [Case]}."""
    order = sorted(FINDINGS, key=lambda kind: SEVERITIES.index(FINDINGS[kind].severity))
    return tuple(_finding(kind, cases[kind]) for kind in order if cases.get(kind))


def _finding(kind, cases):
    row = FINDINGS[kind]
    pictures = len({(shown.split, shown.name) for case in cases for shown in case.pictures})
    return Finding(kind=kind, severity=row.severity, title=row.title, means=row.means, mend=row.mend,
                   pictures=pictures, cases=tuple(cases))  # fmt: skip
