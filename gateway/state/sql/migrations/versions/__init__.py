"""One file a revision. They only add: an older gateway's data is never lost."""
