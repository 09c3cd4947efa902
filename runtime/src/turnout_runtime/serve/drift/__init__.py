"""What the predictions of the last hour look like, and how far that is from the reference: kept while serving."""
