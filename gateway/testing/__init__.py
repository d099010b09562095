"""For tests of the gateway and of plugins: real servers and streams, and a clock to turn."""
