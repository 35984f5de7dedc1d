"""What the providers' adapters share: reading server-sent events, and telling failures."""
