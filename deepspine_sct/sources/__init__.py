"""From the archives as their owners distribute them to the folder that training reads."""
