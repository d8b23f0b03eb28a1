"""What several rooms use: CSV files of results, Parquet files, worker processes, clocks, memory, numbers in text."""
