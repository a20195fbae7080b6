"""Advice drawn from baselines: what a program was seen to need, in other tools' formats."""
