"""What several rooms use: CSV files of results, worker processes, clocks, numbers in text."""
