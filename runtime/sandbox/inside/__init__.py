"""What runs within the sandbox. Nothing here imports anything of polyarch."""
