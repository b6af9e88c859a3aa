"""Studies: many seeds of many arms, run once; what they found is in notebooks/evidence/."""
