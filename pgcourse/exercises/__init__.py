"""Checks of the exercises: each says what is wrong with an answer; none holds the solution."""
