"""Why it is built as it is: choices, measured side by side."""
