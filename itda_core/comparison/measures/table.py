"""Which measures of similarity there are, known without loading any."""

from __future__ import annotations

MEASURES = ("itda", "itda_codes", "linear_cka", "svcca", "relative", "linear_regression")  # see match.match
ANCHORS = 512  # tokens that others are described by, in relative representations and soft codes
