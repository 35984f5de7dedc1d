"""The built-in tools: real files, real links, real pipes."""
