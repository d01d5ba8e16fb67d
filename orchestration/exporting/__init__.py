"""What happened and what is planned, in the formats of other programs: pure functions from records to text."""
