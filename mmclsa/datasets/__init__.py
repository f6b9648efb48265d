"""Person-search data sets, their transforms and samplers."""
