"""Tests of the loop with fakes, in virtual time."""
