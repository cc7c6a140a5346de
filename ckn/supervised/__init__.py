"""Learning the filters end to end, with labels."""

from ckn.supervised.augmentation import Augmentation, Crop, Cutout, Flip
from ckn.supervised.checkpoint import ResumeError, best_epoch, load_state, save_state, state_notes, training_notes
from ckn.supervised.fit import fit_supervised
from ckn.supervised.settings import Supervised
from ckn.supervised.state import DivergedError, EpochReport, StartError, TrainingState
from ckn.supervised.strategies import Alternating, Joint, LayerReversal, Strategy

__all__ = [
    "Alternating",
    "Augmentation",
    "Crop",
    "Cutout",
    "DivergedError",
    "EpochReport",
    "Flip",
    "Joint",
    "LayerReversal",
    "ResumeError",
    "StartError",
    "Strategy",
    "Supervised",
    "TrainingState",
    "best_epoch",
    "fit_supervised",
    "load_state",
    "save_state",
    "state_notes",
    "training_notes",
]
