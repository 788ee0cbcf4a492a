"""The pursuits of this machine beside the textbook's and beside the machine's limit."""
