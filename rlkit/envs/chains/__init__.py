"""Textbook problems whose states have numbers: chains, stocks, queues and cards."""
