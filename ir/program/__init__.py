"""The program language: instructions, their encoding and their timing."""
