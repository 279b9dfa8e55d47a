"""What pages and figures of changed images share, and the page of generators."""
