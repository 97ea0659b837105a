"""What each route does: a function from what was asked to the document that is answered."""
