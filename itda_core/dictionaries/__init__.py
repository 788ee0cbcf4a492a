"""Dictionaries of atoms: how one is grown, what it is, how it is kept.

The names of __init__.pyi are imported when they are first used, so that a
page can list dictionaries without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
