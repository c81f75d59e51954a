"""Tabular agents: one number for every state and action (Sutton and Barto 2018, chapters 5 to 8)."""
