"""The programs that fit generalized models, each in a process of its own."""
