from .chunks import gram_dtype as gram_dtype
from .chunks import gram_matrix as gram_matrix
from .chunks import to_fixed as to_fixed
from .code import SparseCode as SparseCode
from .code import reconstruct as reconstruct
from .code import relative_error as relative_error
from .encoding import PURSUITS as PURSUITS
from .encoding import Pursuit as Pursuit
from .encoding import encode as encode
from .gradient import gradient_pursuit as gradient_pursuit
from .matching import matching_pursuit as matching_pursuit
from .orthogonal import orthogonal_matching_pursuit as orthogonal_matching_pursuit

__all__ = [
    "PURSUITS",
    "Pursuit",
    "SparseCode",
    "encode",
    "gradient_pursuit",
    "gram_dtype",
    "gram_matrix",
    "matching_pursuit",
    "orthogonal_matching_pursuit",
    "reconstruct",
    "relative_error",
    "to_fixed",
]
