"""Steering: what is asked for, the work, what its worker reports, what it costs."""
