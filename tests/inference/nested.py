"""Data with factors nested in others, made without random numbers so that R had the same."""

from __future__ import annotations

import numpy as np
import pandas as pd


def strains() -> pd.DataFrame:
    """Six strains of three genotypes in eight blocks, two treatments, seven rows lost."""
    of = {"G1": "ab", "G2": "cde", "G3": "k"}
    rows = [(g, s, trt, b) for g, names in of.items() for s in names for trt in "MN" for b in range(8)]
    data = pd.DataFrame(rows, columns=["geno", "strain", "trt", "blk"])
    data["number"] = data.groupby("geno")["strain"].transform(lambda s: pd.factorize(s)[0]).map("n{}".format)
    i = np.arange(len(data))
    noise = np.sin(1.7 * i) + np.cos(0.9 * i**1.3)
    strain = data["strain"].map({"a": 0, "b": 0.8, "c": 2, "d": 0.5, "e": 1.5, "k": 3})
    data["y"] = (strain + 0.4 * (data["trt"] == "N") + np.sin(2.0 * data["blk"]) + 0.6 * noise).round(4)
    return data[i % 13 != 5].reset_index(drop=True)
