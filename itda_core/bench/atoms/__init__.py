"""An atom index written from drawn codes, and pages of atoms read from it."""
