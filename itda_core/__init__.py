"""Inference-Time Decomposition of Activations: atoms that were really seen, and what they explain.

The names of __init__.pyi are imported when they are first used, so that `import itda_core` loads neither
torch nor transformers.
"""

import lazy_loader

from itda_core.machine.threads import wait_passively

wait_passively()  # before anything loads a numeric library

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
