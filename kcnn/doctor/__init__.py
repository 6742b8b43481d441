"""The data doctor: what is wrong with a data set, what that does to training, and how to mend it."""

from kcnn.doctor.augmented import write_sheet
from kcnn.doctor.diagnose import diagnose
from kcnn.doctor.findings import FINDINGS
from kcnn.doctor.page import write_page
from kcnn.doctor.record import Diagnosis
from kcnn.doctor.words import text

__all__ = ["FINDINGS", "Diagnosis", "diagnose", "text", "write_page", "write_sheet"]
