"""Every figure that the documents state, measured side by side with its yardstick."""
