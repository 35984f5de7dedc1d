"""Changing files: whole, all of a change or nothing, and never outside the workspace."""
