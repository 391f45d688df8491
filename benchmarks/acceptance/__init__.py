"""Does it do what it promises: accuracy, doubt, hostile input."""
