"""Pure rules: no file, socket, loop, clock, logger, randomness or environment."""
