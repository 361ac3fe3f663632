"""The quiet room: values and decisions. No I/O, no clock, no chance, no framework."""
