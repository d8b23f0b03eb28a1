"""What a fit will cost, foreseen from the pattern of Z'Z, and the method that this speaks for."""
