"""What is wrong with a lineage, in words that say what to do."""
