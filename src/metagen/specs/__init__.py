"""MSL, the model specification language: reading, checking and resolving a specification."""
