"""The bench suite: runs ss-bench and ss-load, keeps what they measured, draws and compares it."""
