"""What is finished, and what it was made from: markers, claims, hashes, the journal."""
