"""What is known of English words: synonyms, inflections, and words that must stay."""
