"""Speed and agreement, measured: files here are commands, folders what they are made of; see README.md beside this."""
