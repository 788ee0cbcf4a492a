"""Atom indices: what is asked for, how one is made and kept, what its worker reports."""
