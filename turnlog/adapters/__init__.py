"""One file for each promise that the ports make."""
