"""What a store promises, held to by every adapter."""
