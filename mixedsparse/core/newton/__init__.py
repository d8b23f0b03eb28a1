"""Newton's method with a trust region: one search at a time, or many in step."""
