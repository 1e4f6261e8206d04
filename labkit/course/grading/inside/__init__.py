"""What runs inside the sandbox. It holds no oracle, no seed and no expected value, and imports nothing that does."""
