"""Sparse coding: tensors in, codes out. Knows no model, no text, no file.

The names of __init__.pyi are imported when they are first used, so that the
table of pursuits is read without torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
