"""Pure folds: from the events of a log to what is seen of it."""
