"""Tests of the conversation itself: given facts, when a command, then facts or a refusal."""
