"""Everything breaks at random, and what is promised is checked from outside."""
