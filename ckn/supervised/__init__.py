"""Learning the filters end to end, with labels."""

from ckn.supervised.augmentation import Augmentation, Crop, Cutout, Flip
from ckn.supervised.checkpoint import ResumeError, best_epoch, load_state, save_state, state_notes, training_notes
from ckn.supervised.fit import fit_supervised
from ckn.supervised.settings import Supervised
from ckn.supervised.state import DivergedError, EpochReport, TrainingState

__all__ = [
    "Augmentation",
    "Crop",
    "Cutout",
    "DivergedError",
    "EpochReport",
    "Flip",
    "ResumeError",
    "Supervised",
    "TrainingState",
    "best_epoch",
    "fit_supervised",
    "load_state",
    "save_state",
    "state_notes",
    "training_notes",
]
