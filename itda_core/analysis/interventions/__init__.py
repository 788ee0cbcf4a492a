"""What an atom does: which atoms a prediction rests on, and what changes when one of them is changed."""
