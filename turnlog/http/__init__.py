"""turnlog over HTTP: decode, call, encode."""
