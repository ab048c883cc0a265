"""The command line: argv and TOML in, an exit code out."""
