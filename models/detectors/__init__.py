"""Detectors, one a file. Higher scores are more unusual."""
