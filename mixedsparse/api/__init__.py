"""What users call and get: models, results, storage."""
