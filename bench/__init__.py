"""Figures: what the engine costs, as ratios against floors and peers taken in the same run."""
