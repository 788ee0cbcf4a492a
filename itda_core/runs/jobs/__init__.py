"""Work in the background: one folder and one process per job."""
