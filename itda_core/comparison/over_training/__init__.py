"""One model at several moments of its training: when each layer settles."""
