"""Who reads which slide: states, verdicts, presence, saved views and the blind first read."""
