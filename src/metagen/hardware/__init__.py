"""The hardware that models run on and are trained on, for whatever plans or names it."""
