"""Sign-in, authentication and the recording of reads."""
