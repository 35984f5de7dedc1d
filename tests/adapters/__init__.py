"""Tests of small adapters, each against the real thing."""
