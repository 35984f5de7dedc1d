"""Patches: what they say, and where in a file they fit. Nothing here touches the disk."""
