"""From a fitted model and its batches to numbers, plots and one page that says what they mean."""
