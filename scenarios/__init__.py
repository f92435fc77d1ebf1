"""Works of the paper (MegaAgent, arXiv 2408.09955) to run against any endpoint, and its benchmarks."""
