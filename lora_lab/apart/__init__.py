"""Reading apart: what native decoders make of strangers' files is made in a child process."""
