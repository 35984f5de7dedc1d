"""What measures: processes and their costs, loads that are cheap, logs that are made at once."""
