"""The child: one process, one run of one cell. Only here are a framework and Keras imported."""
