"""The actors: what is decided becomes durable, is shown, and is carried on."""
