"""What is kept on this machine and what runs on it: the library, trainings, jobs. Loads no torch to list things."""

from itda_core.runs.costs.training import Estimate, estimate
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.evaluation.run import evaluate_dictionaries, measure
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.home import home
from itda_core.runs.indexing.request import IndexRequest
from itda_core.runs.indexing.run import index_dictionary
from itda_core.runs.indexing.status import IndexStatus
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.jobs.kinds import EVALUATION, INDEXING, MATCHING, TRAINING, TRANSFER, JobKind
from itda_core.runs.jobs.status import JobStatus
from itda_core.runs.layers import format_layers, parse_layers
from itda_core.runs.library import BUNDLED, Library, LibraryEntry
from itda_core.runs.machine import Machine, machine
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.matching.run import match_models
from itda_core.runs.matching.status import MatchStatus
from itda_core.runs.model_of import model_of
from itda_core.runs.training.checkpoint_folder import Unfinished, unfinished
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.run import Interrupted, TrainedDictionary, run
from itda_core.runs.training.status import LayerStatus, TrainingStatus
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.transfer.run import transfer_labels
from itda_core.runs.transfer.status import TransferStatus
from itda_core.runs.verify import LabelCheck, Verification, corpus_of, verify

__all__ = [
    "BUNDLED",
    "EVALUATION",
    "INDEXING",
    "MATCHING",
    "TRAINING",
    "TRANSFER",
    "Estimate",
    "EvaluateRequest",
    "EvaluationStatus",
    "IndexRequest",
    "IndexStatus",
    "Interrupted",
    "Job",
    "JobKind",
    "JobStatus",
    "Jobs",
    "LabelCheck",
    "LayerStatus",
    "Library",
    "LibraryEntry",
    "Machine",
    "MatchRequest",
    "MatchStatus",
    "TrainRequest",
    "TrainedDictionary",
    "TrainingStatus",
    "TransferRequest",
    "TransferStatus",
    "Unfinished",
    "Verification",
    "corpus_of",
    "estimate",
    "evaluate_dictionaries",
    "format_layers",
    "home",
    "index_dictionary",
    "machine",
    "match_models",
    "measure",
    "model_of",
    "parse_layers",
    "run",
    "transfer_labels",
    "unfinished",
    "verify",
]
