"""Studies of layer matching: what is asked for, how it runs, what its worker reports."""
