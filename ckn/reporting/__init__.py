"""Reports of models: what `ckn report` and `ckn train --report` put on a page."""

from ckn.reporting.examined import Examined
from ckn.reporting.pages import report_of
from ckn.reporting.trainings import Training

__all__ = ["Examined", "Training", "report_of"]
