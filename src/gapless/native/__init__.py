"""What is compiled: intrinsics that numba lacks."""
