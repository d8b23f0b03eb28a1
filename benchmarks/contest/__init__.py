"""Whole fits against other programs: behind the commands `run`, `table` and `plots`."""
