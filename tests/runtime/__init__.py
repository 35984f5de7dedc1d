"""The actors: the write path, the live end of logs, and the agent loop."""
