"""Figures with their uncertainty, as functions of arrays: no log, no database, no text.

Rows count as independent; with clusters (an integer for each row) only those of different clusters do, and variances
are of sums over clusters, which holds for any dependence within them (Liang and Zeger 1986). Weights (None: all 1) are
inverse probabilities of being seen; a weighted figure is the self-normalised one (Hájek 1971), and its variance is that
of its linearisation. Intervals are two-sided.
"""

from turnout_runtime.analysis.statistics.estimate import LEVEL, Array, Clusters, Estimate

__all__ = ["LEVEL", "Array", "Clusters", "Estimate"]
