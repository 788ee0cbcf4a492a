from .label_sets import LabelSet as LabelSet
from .label_transfer.results import Transfer as Transfer
from .label_transfer.results import TransferStep as TransferStep
from .label_transfer.results import TransferTable as TransferTable
from .label_transfer.transfer import transfer as transfer
from .label_transfer.transfer import transfer_steps as transfer_steps
from .label_transfer.transfer import transfer_table as transfer_table
from .matching.study import MatchProgress as MatchProgress
from .matching.study import match as match
from .matching.table import MatchTable as MatchTable
from .measures.cka import linear_cka as linear_cka
from .measures.regression import linear_regression as linear_regression
from .measures.relative import relative_representation as relative_representation
from .measures.svcca import svcca as svcca
from .over_training.checkpoint_series import Course as Course
from .over_training.checkpoint_series import course_of as course_of
from .over_training.convergence import Convergence as Convergence
from .over_training.convergence import convergence as convergence
from .over_training.demo_checkpoints import DemoCheckpoint as DemoCheckpoint
from .over_training.demo_checkpoints import demo_checkpoints as demo_checkpoints
from .overlap.comparability import Comparability as Comparability
from .overlap.comparability import comparability as comparability
from .overlap.corpus_orders import OrderEffect as OrderEffect
from .overlap.corpus_orders import OrderProgress as OrderProgress
from .overlap.corpus_orders import order_effect as order_effect
from .overlap.differences import Differences as Differences
from .overlap.differences import differences as differences
from .overlap.jaccard import JaccardMatrix as JaccardMatrix
from .overlap.jaccard import jaccard as jaccard
from .overlap.jaccard import jaccard_matrix as jaccard_matrix

__all__ = [
    "Comparability",
    "Convergence",
    "Course",
    "DemoCheckpoint",
    "Differences",
    "JaccardMatrix",
    "LabelSet",
    "MatchProgress",
    "MatchTable",
    "OrderEffect",
    "OrderProgress",
    "Transfer",
    "TransferStep",
    "TransferTable",
    "comparability",
    "convergence",
    "course_of",
    "demo_checkpoints",
    "differences",
    "jaccard",
    "jaccard_matrix",
    "linear_cka",
    "linear_regression",
    "match",
    "order_effect",
    "relative_representation",
    "svcca",
    "transfer",
    "transfer_steps",
    "transfer_table",
]
