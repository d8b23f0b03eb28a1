"""What everything stands on: errors, options, checks, progress, the caller, other programs' names, threads."""
