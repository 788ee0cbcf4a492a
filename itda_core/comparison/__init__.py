"""Dictionaries and representations of different models beside each other.

The names of __init__.pyi are imported when they are first used, so that
nothing here loads torch before it is used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
