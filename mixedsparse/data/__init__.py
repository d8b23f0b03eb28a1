"""Text and tables to designs: formulas, and sources whose rows stay where they are."""
