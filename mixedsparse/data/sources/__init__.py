"""Data that stay where they are: Parquet files, DuckDB relations and whatever else Ibis reaches."""
