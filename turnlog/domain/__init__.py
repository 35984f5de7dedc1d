"""The conversation itself: facts, decisions and promises, without clock or I/O."""
