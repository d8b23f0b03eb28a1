"""Rows and levels left out, and what each of them weighs, from one fit."""
