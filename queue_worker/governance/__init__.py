"""What keeps the database in order: migrations, and later retention, validation and operators."""
