"""Transfers of labels on the compare page."""
