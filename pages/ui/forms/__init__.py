"""Questions that several forms ask."""
