"""What turnlog promises, written down so that it can be run."""
