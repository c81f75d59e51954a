"""Pictures and text of a state, drawn without a display."""
