"""Files that are whole or not there at all: written under another name, locked, and in plain formats."""
