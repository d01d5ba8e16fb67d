"""What people and programs see of what happened: pure functions from records to text, and the live board."""
