"""Tests of the history that models are given."""
