"""What is wrong with an item as a whole: rules over several of its fields, each with the field that is blamed."""
