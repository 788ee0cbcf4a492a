"""Layer matching on the compare page."""
