"""Any transformer as a stream of activations with their prefixes.

The names of __init__.pyi are imported when they are first used, so that a model can be named without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
