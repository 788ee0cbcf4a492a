"""Where each atom of a dictionary fires: an index of its codes over a text, and what can be read from it."""
