"""The compiled executor: the kernel's semantics at millions of tasks per second."""
