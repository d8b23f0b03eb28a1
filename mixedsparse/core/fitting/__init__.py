"""From a start to an optimum with its certificate."""
