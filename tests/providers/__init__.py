"""Tests of the adapters, through the official SDKs, against a local upstream."""
