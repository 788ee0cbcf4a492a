"""Where a corpus's documents come from: files, data sets on the Hub, the bundled passages."""
