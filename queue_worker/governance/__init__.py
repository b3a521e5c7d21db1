"""What keeps the database in order: migrations, retention, and later validation and operators."""
