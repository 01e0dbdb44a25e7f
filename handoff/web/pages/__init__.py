"""Page kit: rendering, translation, problem pages and sign-in, shared by every application that serves pages."""
