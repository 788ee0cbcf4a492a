"""Results as plotly figures and as pages that need neither network nor script."""
