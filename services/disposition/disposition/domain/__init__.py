"""Pure: folds what is known of an attempt, in any order, into its one disposition."""
